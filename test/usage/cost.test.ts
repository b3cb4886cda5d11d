import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costBound, estimateCost, priceUsage, type Lane } from "../../src/usage/cost.js";
import { builtInPrices } from "../../src/usage/price-table.js";
import type { PriceEntry } from "../../src/usage/price-entry.js";
import type { Usage } from "../../src/types.js";
import { usageOf } from "./results.js";

function entryOf(model: string, region: string): PriceEntry {
  const entry = builtInPrices().lookup(model, region);
  if (!entry) throw new Error(`${model} has no price in ${region}`);
  return entry;
}

describe("the price of one attempt", () => {
  const million = 1_000_000;
  const cases: [title: string, model: string, region: string, usage: Usage, lane: Lane, amount: number][] = [
    // 200,000 x 0.40 + 1,000,000 x 1.20
    ["lower tier", "qwen-plus", "singapore", usageOf(200_000, million), "real-time", 1.28],
    [
      "the bound itself is in the lower tier",
      "qwen-plus",
      "singapore",
      usageOf(256_000, 0),
      "real-time",
      0.1024,
    ],
    // the whole request at 1.20 and 3.60
    [
      "upper tier for the whole request",
      "qwen-plus",
      "singapore",
      usageOf(256_001, 1000),
      "real-time",
      0.3108012,
    ],
    ["thinking", "qwen-plus", "singapore", usageOf(1000, 1000, { thinking: true }), "real-time", 0.0044],
    [
      "reasoning tokens mean thinking",
      "qwen-plus",
      "singapore",
      usageOf(1000, 1000, { reasoningTokens: 1 }),
      "real-time",
      0.0044,
    ],
    // 500 x 0.40 + 500 x 0.08
    [
      "cache hits cost a fifth",
      "qwen-plus",
      "singapore",
      usageOf(1000, 0, { cachedInputTokens: 500 }),
      "real-time",
      0.00024,
    ],
    // 600 x 2.5 + 300 x 0.5 + 100 x 3.125
    [
      "listed cache rates",
      "qwen3.7-max",
      "singapore",
      usageOf(1000, 0, { cachedInputTokens: 300, cacheWriteTokens: 100 }),
      "real-time",
      0.0019625,
    ],
    // 900 x 0.40 + 100 x 0.50
    [
      "cache writes cost a quarter more",
      "qwen-plus",
      "singapore",
      usageOf(1000, 0, { cacheWriteTokens: 100 }),
      "real-time",
      0.00041,
    ],
    ["batch is half", "qwen-plus", "singapore", usageOf(200_000, million), "batch", 0.64],
    [
      "batch has no cache discount",
      "qwen-plus",
      "singapore",
      usageOf(1000, 0, { cachedInputTokens: 1000 }),
      "batch",
      0.0002,
    ],
    // 1,000 x 4.8 + 1,000 x 64
    [
      "Beijing, third tier, thinking",
      "qwen-plus",
      "beijing",
      usageOf(300_000, 1000, { thinking: true }),
      "real-time",
      1.504,
    ],
    [
      "a model without thinking rate",
      "qwen-max",
      "beijing",
      usageOf(1000, 1000, { thinking: true }),
      "real-time",
      0.012,
    ],
    // 900 x 0.43 + 100 x 3.81
    [
      "audio input",
      "qwen3-omni-flash",
      "singapore",
      usageOf(1000, 0, { audioTokens: 100 }),
      "real-time",
      0.000768,
    ],
    ["nothing used", "qwen-plus", "singapore", usageOf(0, 0), "real-time", 0],
  ];
  it.each(cases)("is right for: %s", (_title, model, region, usage, lane, amount) => {
    expect(priceUsage(usage, entryOf(model, region), lane)).toBe(amount);
  });

  it("is not known above the last tier that sources give", () => {
    expect(priceUsage(usageOf(32_000, 10), entryOf("qwen3-vl-flash", "singapore"))).not.toBeNull();
    expect(priceUsage(usageOf(32_001, 10), entryOf("qwen3-vl-flash", "singapore"))).toBeNull();
  });

  it("never exceeds the bound computed beforehand", () => {
    const entry = fc.constantFrom(...builtInPrices().entries);
    const tokens = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(entry, tokens, tokens, tokens, fc.boolean(), (price, input, output, cached, thinking) => {
        const cost = priceUsage(usageOf(input, output, { cachedInputTokens: cached, thinking }), price);
        const bound = costBound(price, { inputTokens: input, outputTokens: output });
        expect(bound === null).toBe(cost === null);
        expect(cost ?? 0).toBeLessThanOrEqual(bound?.amount ?? 0);
      }),
    );
  });
});

describe("an estimate", () => {
  it("gives both lanes where the model is known to be taken by batch files", () => {
    expect(
      estimateCost({
        rows: 1000,
        inputTokens: 2_000_000,
        outputTokens: 500_000,
        model: "qwen-plus",
        region: "singapore",
      }),
    ).toEqual({
      realTime: { amount: 1.4, currency: "USD" },
      batch: { amount: 0.7, currency: "USD" },
      approximate: false,
    });
    expect(
      estimateCost({ rows: 1, inputTokens: 1, outputTokens: 1, model: "qwen-mt-plus", region: "singapore" })
        .batch,
    ).toBeNull();
  });

  it("takes the tier of the mean row, not of the sum", () => {
    const all = { rows: 10, inputTokens: 300_000, outputTokens: 0, model: "qwen3-max", region: "singapore" };
    expect(estimateCost(all).realTime?.amount).toBe(0.36);
    expect(estimateCost({ ...all, rows: 1 }).realTime?.amount).toBe(0.9);
  });

  it("is null for a model without price", () => {
    expect(estimateCost({ rows: 1, inputTokens: 1, outputTokens: 1, model: "llama", region: null })).toEqual({
      realTime: null,
      batch: null,
      approximate: false,
    });
  });
});
