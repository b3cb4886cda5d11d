import { describe, expect, it } from "vitest";
import { compareWithBill } from "../../src/usage/bill-check.js";
import { readBill } from "../../src/usage/bill.js";
import { formatBillComparison } from "../../src/usage/format-bill-comparison.js";
import { usageOf } from "./results.js";
import { runOf } from "./runs.js";

describe("reading a bill", () => {
  it.each([
    ["plain", "day,model,amount,currency\n2026-11-22,qwen-plus,1.23,USD\n"],
    [
      "with other names",
      "Billing Date;Model Name;Cost (USD);Currency\n2026/11/22 10:00:00;qwen-plus;$1.23;USD\n",
    ],
    [
      "Chinese, with a byte order mark",
      "\ufeff日期,模型名称,金额（元）,币种\r\n20261122,qwen-plus,1.23,USD\r\n",
    ],
  ])("works: %s", (_title, text) => {
    expect(readBill(text, "bill.csv")).toMatchObject([
      { line: 2, day: "2026-11-22", model: "qwen-plus", amount: 1.23, currency: "USD", inputTokens: null },
    ]);
  });

  it("takes tokens instead of money, and thousands commas", () => {
    expect(readBill('date,model,input_tokens,output_tokens\n2026-11-22,m,"1,234",5\n', "b")[0]).toMatchObject(
      {
        amount: null,
        inputTokens: 1234,
        outputTokens: 5,
      },
    );
  });

  it.each([
    ["no model column", "day,amount\n2026-11-22,1\n", "expected columns for model"],
    ["no figures", "day,model\n2026-11-22,m\n", "amount, input_tokens or output_tokens"],
    ["nothing", "", "received nothing"],
    [
      "a day that is none",
      "day,model,amount\n2026-11-31,m,1\n",
      'line 2, column day: expected a day such as 2026-11-22, received "2026-11-31"',
    ],
    [
      "an amount that is none",
      "day,model,amount\n2026-11-22,m,1\n2026-11-22,m,n/a\n",
      'line 3, column amount: expected a number, received "n/a"',
    ],
  ])("refuses a bill with %s", (_title, text, message) => {
    expect(() => readBill(text, "bill.csv")).toThrow(message);
  });
});

describe("comparing with a bill", () => {
  const usage = usageOf(1_000_000, 0);
  const runs = [
    runOf({
      runId: "a",
      rows: [
        { usage, finishedAt: "2026-11-22T05:00:00.000Z" },
        { usage, finishedAt: "2026-11-22T17:00:00.000Z" },
      ],
    }),
    runOf({
      runId: "b",
      rows: [{ usage, model: "qwen-max", finishedAt: "2026-11-23T05:00:00.000Z", possiblyBilled: 1 }],
    }),
  ];
  const bill = (text: string): ReturnType<typeof readBill> =>
    readBill(`day,model,amount,input_tokens\n${text}`, "b");

  it("agrees to the cent, adding up a day's lines", () => {
    const same =
      "2026-11-22,qwen-plus,1.2,1000000\n2026-11-22,qwen-plus,1.195,1000000\n2026-11-23,qwen-max,1.60,1000000\n";
    const comparison = compareWithBill(runs, bill(same));
    expect(comparison).toMatchObject({ compared: 2, differences: [], from: "2026-11-22", to: "2026-11-23" });
    expect(formatBillComparison(comparison)).toContain("The bill agrees: 2 days and models");
  });

  it("lists what differs, and what one side does not have", () => {
    const comparison = compareWithBill(
      runs,
      bill("2026-11-22,qwen-plus,2.5,2000000\n2026-11-23,qwen-flash,0.5,10\n"),
    );
    expect(comparison.differences).toEqual([
      {
        day: "2026-11-22",
        model: "qwen-plus",
        field: "amount",
        currency: "USD",
        ours: 2.4,
        bill: 2.5,
        difference: 0.1,
      },
      {
        day: "2026-11-23",
        model: "qwen-flash",
        field: "amount",
        currency: "USD",
        ours: null,
        bill: 0.5,
        difference: null,
      },
      {
        day: "2026-11-23",
        model: "qwen-flash",
        field: "inputTokens",
        currency: null,
        ours: null,
        bill: 10,
        difference: null,
      },
      {
        day: "2026-11-23",
        model: "qwen-max",
        field: "amount",
        currency: "USD",
        ours: 1.6,
        bill: null,
        difference: null,
      },
      {
        day: "2026-11-23",
        model: "qwen-max",
        field: "inputTokens",
        currency: null,
        ours: 1_000_000,
        bill: null,
        difference: null,
      },
    ]);
    const text = formatBillComparison(comparison);
    expect(text).toMatch(/2026-11-22 +qwen-plus +amount, USD +2\.40 +2\.50 +\+0\.10/);
    expect(text).toContain("1 calls may have been billed");
  });

  it("compares days of the bill's zone, and only those that it covers", () => {
    const text = "2026-11-22,qwen-plus,1.2,1000000\n";
    expect(compareWithBill(runs, bill(text), { timeZone: "Asia/Shanghai" }).differences).toEqual([]);
    expect(compareWithBill(runs, bill(text)).differences).toHaveLength(2);
  });

  it("never takes one currency for another", () => {
    const rows = readBill("day,model,amount,currency\n2026-11-23,qwen-max,1.6,CNY\n", "b");
    expect(compareWithBill(runs, rows).differences).toMatchObject([
      { currency: "CNY", ours: null, bill: 1.6 },
      { currency: "USD", ours: 1.6, bill: null },
    ]);
    const both = [
      ...runs,
      runOf({ runId: "c", place: { region: "beijing" }, rows: [{ finishedAt: "2026-11-23T05:00:00.000Z" }] }),
    ];
    expect(() => compareWithBill(both, bill("2026-11-23,qwen-max,1.6,1\n"))).toThrow(/has no currency/);
  });

  it("has nothing to say about an empty bill", () => {
    expect(formatBillComparison(compareWithBill(runs, []))).toBe("The bill has no lines.\n");
  });
});
