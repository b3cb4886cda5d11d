import { describe, expect, it } from "vitest";
import { pricesSchema } from "../../src/usage/price-entry.js";
import {
  builtInPrices,
  createPriceTable,
  normalizeRegion,
  priceTableAgeWarning,
} from "../../src/usage/price-table.js";
import { formatPrices } from "../../src/usage/format-prices.js";

const flat = { model: "my-model", currency: "EUR", input: 1, output: 2 };

describe("looking up a price", () => {
  const prices = builtInPrices();

  it("has a price of its own for each region, in that region's currency", () => {
    expect(prices.lookup("qwen-plus", "singapore")).toMatchObject({
      currency: "USD",
      tiers: [{ input: 0.4 }, {}],
    });
    expect(prices.lookup("qwen-plus", "beijing")).toMatchObject({
      currency: "CNY",
      tiers: [{ input: 0.8 }, {}, {}],
    });
    expect(prices.lookup("qwen-plus", "virginia")).toBeNull();
    expect(prices.lookup("qwen-plus", null)).toBeNull();
    expect(prices.lookup("qwen-plus", { provider: "openai-compatible", region: null })).toBeNull();
  });

  it("takes a -latest name for its base and a dated snapshot for an approximation of it", () => {
    expect(prices.lookup("qwen-plus-latest", "singapore")).not.toHaveProperty("approximate");
    expect(prices.lookup("qwen-plus-2025-09-11", "singapore")).toMatchObject({
      model: "qwen-plus",
      approximate: true,
    });
    expect(prices.lookup("qwen-plus-0919", "singapore")).toBeNull();
    expect(prices.lookup("unknown-2025-09-11", "singapore")).toBeNull();
  });

  it.each([
    ["ws-1.ap-southeast-1.maas.aliyuncs.com", "singapore"],
    ["https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "singapore"],
    ["dashscope.aliyuncs.com", "beijing"],
    ["batch.dashscope.aliyuncs.com", "beijing"],
    ["cn-hongkong.dashscope.aliyuncs.com", "hong-kong"],
    ["dashscope-us.aliyuncs.com", "virginia"],
    ["Singapore", "singapore"],
    ["somewhere", "somewhere"],
  ])("knows the region of %s", (host, region) => {
    expect(normalizeRegion(host)).toBe(region);
  });
});

describe("prices of one's own", () => {
  it("beat the built-in ones, the most specific first", () => {
    const prices = createPriceTable([
      { ...flat, model: "qwen-plus", currency: "USD", input: 0.3 },
      { ...flat, model: "qwen-plus", region: "beijing", currency: "CNY", input: 0.7 },
      { ...flat, model: "qwen-plus", provider: "resale", currency: "EUR", input: 0.9 },
    ]);
    expect(
      prices.lookup("qwen-plus", { region: "singapore", provider: "model-studio" })?.tiers[0]?.input,
    ).toBe(0.3);
    expect(prices.lookup("qwen-plus", { region: "beijing", provider: "model-studio" })?.tiers[0]?.input).toBe(
      0.7,
    );
    expect(prices.lookup("qwen-plus", { region: "beijing", provider: "resale" })?.currency).toBe("EUR");
    expect(prices.lookup("qwen-plus", null)?.tiers[0]?.input).toBe(0.3);
    expect(prices.lookup("qwen-max", "singapore")?.tiers[0]?.input).toBe(1.6);
  });

  it("may have tiers", () => {
    const tiers = [
      { upToInputTokens: 1000, input: 1, output: 2 },
      { upToInputTokens: null, input: 2, output: 4 },
    ];
    expect(createPriceTable([{ model: "m", currency: "USD", tiers }]).lookup("m", null)?.tiers).toEqual(
      tiers,
    );
  });

  it.each([
    ["a negative price", { ...flat, input: -1 }],
    ["an unknown key", { ...flat, inputs: 1 }],
    ["a currency that is none", { ...flat, currency: "dollars" }],
    ["more than six decimals", { ...flat, input: 0.1234567 }],
    ["no price at all", { model: "m", currency: "USD" }],
    ["no tiers", { model: "m", currency: "USD", tiers: [] }],
    [
      "tiers that descend",
      {
        model: "m",
        currency: "USD",
        tiers: [
          { upToInputTokens: 9, input: 1, output: 1 },
          { upToInputTokens: 8, input: 1, output: 1 },
        ],
      },
    ],
    [
      "an open tier before another",
      {
        model: "m",
        currency: "USD",
        tiers: [
          { upToInputTokens: null, input: 1, output: 1 },
          { upToInputTokens: 8, input: 1, output: 1 },
        ],
      },
    ],
    ["a date that is none", { ...flat, asOf: "last week" }],
  ])("are refused with %s", (_title, entry) => {
    expect(pricesSchema.safeParse([entry]).success).toBe(false);
  });
});

describe("the built-in table", () => {
  it("gives every entry a source, a date and a positive price, once per model and region", () => {
    const { entries, asOf } = builtInPrices();
    expect(asOf).toBe("2026-11-22");
    expect(entries.length).toBeGreaterThan(40);
    expect(new Set(entries.map((entry) => `${entry.model} ${entry.region}`)).size).toBe(entries.length);
    for (const entry of entries) {
      expect(entry.source).not.toBe("");
      expect(entry.asOf).toBe("2026-11-22");
      for (const tier of entry.tiers) expect(Math.min(tier.input, tier.output)).toBeGreaterThan(0);
    }
  });

  it("warns when it is more than 90 days old", () => {
    expect(priceTableAgeWarning(builtInPrices(), new Date("2027-02-20T12:00:00Z"))).toBeNull();
    expect(priceTableAgeWarning(builtInPrices(), new Date("2027-02-21T12:00:00Z"))).toContain("91 days ago");
  });

  it("is printed with tiers, sources and what is uncertain", () => {
    const text = formatPrices(createPriceTable([{ ...flat, source: "our contract" }]));
    expect(text).toMatch(/qwen-plus +singapore +256K +0\.4 +1\.2 +4 +USD/);
    expect(text).toContain("my-model (anywhere): our contract");
    expect(text).toContain("Only a USD figure was found");
  });
});
