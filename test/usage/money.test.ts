import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkExchangeRates, convertMoney, parseExchangeRate } from "../../src/usage/exchange-rate.js";
import { formatMoney, MoneySum, toExact, toNumber } from "../../src/usage/money.js";

describe("exact amounts", () => {
  it("come back as the number they were", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), (micros) => {
        expect(toNumber(toExact(micros / 1e6))).toBe(micros / 1e6 || 0);
      }),
    );
  });

  it("add up without drift", () => {
    const sum = new MoneySum();
    for (let count = 0; count < 1000; count += 1) sum.add({ amount: 0.1, currency: "USD" });
    sum.add({ amount: 1, currency: "CNY" });
    expect(sum.toJSON()).toEqual([
      { amount: 1, currency: "CNY" },
      { amount: 100, currency: "USD" },
    ]);
  });

  it.each([Number.NaN, Infinity, 1e22])("refuse %s", (amount) => {
    expect(() => toExact(amount)).toThrow(RangeError);
  });
});

describe("showing money", () => {
  it.each([
    [0, "0.00 USD"],
    [1234567.891, "1,234,567.89 USD"],
    [1, "1.00 USD"],
    [0.5, "0.50 USD"],
    [0.4321, "0.432 USD"],
    [0.0123456, "0.0123 USD"],
    [0.00012345, "0.000123 USD"],
    [0.0000001, "< 0.000001 USD"],
  ])("shows %d as %s", (amount, text) => {
    expect(formatMoney({ amount, currency: "USD" })).toBe(text);
  });
});

describe("exchange rates", () => {
  it("are read as a person writes them", () => {
    expect(parseExchangeRate("CNY=0.14USD")).toEqual({ from: "CNY", to: "USD", rate: 0.14 });
    expect(parseExchangeRate(" usd = 7 cny ")).toEqual({ from: "USD", to: "CNY", rate: 7 });
  });

  it.each(["", "CNY", "CNY=USD", "CNY=0USD", "CNY=-1USD", "CNY=1CNY", "CNY=1e3USD", "0.14"])(
    "refuse %j and show an example",
    (text) => {
      expect(() => parseExchangeRate(text)).toThrow(
        expect.objectContaining({ code: "invalid_exchange_rate", exitCode: 2 }),
      );
    },
  );

  it("convert what has a rate and keep the rest apart", () => {
    const amounts = [
      { amount: 100, currency: "CNY" },
      { amount: 1, currency: "EUR" },
      { amount: 2, currency: "USD" },
    ];
    expect(convertMoney(amounts, [parseExchangeRate("CNY=0.14USD")])).toEqual([
      { amount: 1, currency: "EUR" },
      { amount: 16, currency: "USD" },
    ]);
  });

  it("may not contradict each other or form a chain", () => {
    const check =
      (...texts: string[]) =>
      () =>
        checkExchangeRates(texts.map(parseExchangeRate));
    expect(check("CNY=0.14USD", "CNY=0.15USD")).toThrow(/conflicts/);
    expect(check("CNY=0.14USD", "USD=0.9EUR")).toThrow(/conflicts/);
    expect(check("CNY=0.14USD", "EUR=1.1USD")).not.toThrow();
  });
});
