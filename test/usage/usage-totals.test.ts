import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RowErrorKind } from "../../src/types.js";
import { toExact } from "../../src/usage/money.js";
import { parseUsageFile } from "../../src/usage/usage-file.js";
import { buildUsageReport, type UsageReport } from "../../src/usage/usage-report.js";
import { UsageTotals, type UsageTotalsOptions } from "../../src/usage/usage-totals.js";
import { countRow, resultOf, usageOf, type ResultInput } from "./results.js";

const meta = { runId: "r", job: "j", tags: {}, startedAt: "2026-11-22T05:00:00.000Z", finishedAt: null };
const singapore = { region: "singapore", provider: "model-studio" };

function report(rows: readonly ResultInput[], options: UsageTotalsOptions = singapore): UsageReport {
  const totals = new UsageTotals(options);
  for (const row of rows) countRow(totals, row);
  return buildUsageReport(totals, meta);
}

describe("adding up usage", () => {
  it("starts at nothing", () => {
    expect(report([])).toMatchObject({
      schemaVersion: 1,
      rows: { total: 0, succeeded: 0, failed: 0 },
      attempts: { billed: 0, possiblyBilled: 0, unknownUsage: 0 },
      tokens: { input: 0, output: 0, cachedInput: 0, reasoning: 0, total: 0 },
      cost: { amount: 0, currency: null, unpricedModels: [] },
      models: [],
      hours: [],
    });
  });

  it("counts every billed attempt, also those whose answer was not used", () => {
    const usage = report([
      {
        rowIndex: 0,
        usage: usageOf(1000, 100),
        priorUsages: [usageOf(1000, 300), usageOf(1000, 300)],
      },
      { rowIndex: 1, kind: "invalid_output", usage: usageOf(500, 50) },
      { rowIndex: 2, kind: "network", usage: null },
    ]);
    expect(usage.rows).toEqual({ total: 3, succeeded: 1, failed: 2 });
    expect(usage.attempts).toEqual({ billed: 4, possiblyBilled: 0, unknownUsage: 0 });
    expect(usage.tokens).toMatchObject({ input: 3500, output: 750, total: 4250 });
    // 3,500 x 0.40 + 750 x 1.20 per million
    expect(usage.cost).toMatchObject({ amount: 0.0023, currency: "USD", pricesAsOf: "2026-11-22" });
    expect(usage.failures).toEqual({ invalid_output: 1, network: 1 });
  });

  it("counts both results of a retried row in money and the later one in rows", () => {
    const usage = report([
      { rowIndex: 7, kind: "content_filter", finishedAt: "2026-11-22T05:59:00.000Z" },
      { rowIndex: 7, model: "qwen-max", finishedAt: "2026-11-22T06:01:00.000Z" },
    ]);
    expect(usage.rows).toEqual({ total: 1, succeeded: 1, failed: 0 });
    expect(usage.attempts.billed).toBe(2);
    expect(usage.failures).toEqual({});
    expect(usage.models).toMatchObject([
      { model: "qwen-max", rows: { succeeded: 1, failed: 0 }, cost: { amount: 0.00224 } },
      { model: "qwen-plus", rows: { succeeded: 0, failed: 0 }, cost: { amount: 0.00052 } },
    ]);
    expect(usage.cost.amount).toBe(0.00276);
  });

  it("never takes a model without price for free", () => {
    const mixed = report([{ rowIndex: 0 }, { rowIndex: 1, model: "llama" }]);
    expect(mixed.cost).toMatchObject({ amount: 0.00052, currency: "USD", unpricedModels: ["llama"] });
    expect(mixed.models[0]).toMatchObject({ model: "llama", cost: null, attempts: { unpriced: 1 } });
    const none = report([{ model: "llama" }]);
    expect(none.cost).toMatchObject({ amount: null, currency: null, unpricedModels: ["llama"] });
    const tooLong = report([
      { rowIndex: 0, model: "qwen3.6-flash", usage: usageOf(256_000, 0) },
      { rowIndex: 1, model: "qwen3.6-flash", usage: usageOf(256_001, 0) },
    ]);
    expect(tooLong.cost).toMatchObject({ amount: 0.048, unpricedModels: ["qwen3.6-flash"] });
  });

  it("keeps currencies apart", () => {
    const usage = report([{ rowIndex: 0 }, { rowIndex: 1, model: "qwen-mt-plus" }], {
      region: "beijing",
    });
    expect(usage.cost.byCurrency).toEqual([
      { amount: 0.001, currency: "CNY" },
      { amount: 0.0003365, currency: "USD" },
    ]);
  });

  it("names models priced as the base of their snapshot", () => {
    const usage = report([{ model: "qwen-plus-2025-09-11" }]);
    expect(usage.cost).toMatchObject({ amount: 0.00052, approximateModels: ["qwen-plus-2025-09-11"] });
  });

  it("lists possibly billed calls with the most they can have cost", () => {
    const bound = { inputTokens: 1000, outputTokens: 1000, thinking: false };
    const totals = new UsageTotals(singapore);
    countRow(totals, { rowIndex: 2, possiblyBilled: 1 });
    countRow(totals, { rowIndex: 1, possiblyBilled: 2, bound });
    const open = { rowIndex: 0, customId: "a", model: "qwen-plus", at: "2026-11-22T05:00:00.000Z" };
    const openStarts = [
      { ...open, bound: null },
      { ...open, rowIndex: 1, customId: "row-1", bound },
    ];
    const usage = buildUsageReport(totals, { ...meta, openStarts, unknownStarts: 5 });
    expect(usage.attempts).toEqual({ billed: 2, possiblyBilled: 5, unknownUsage: 0 });
    expect(usage.possiblyBilled).toEqual({
      rows: [
        { rowIndex: 0, customId: "a", model: "qwen-plus", starts: 1, atMost: null },
        {
          rowIndex: 1,
          customId: "row-1",
          model: "qwen-plus",
          starts: 3,
          atMost: { amount: 0.0048, currency: "USD" },
        },
        { rowIndex: 2, customId: "row-2", model: "qwen-plus", starts: 1, atMost: null },
      ],
      atMost: [{ amount: 0.0048, currency: "USD" }],
      unbounded: 2,
      unknownStarts: 5,
    });
    expect(usage.rows.total).toBe(2);
    // A report changes nothing: a call that is open now may end.
    expect(buildUsageReport(totals, meta).attempts.possiblyBilled).toBe(3);
  });

  it("counts billed calls whose tokens nobody knows apart, and never as nothing", () => {
    const totals = new UsageTotals(singapore);
    const call = { rowIndex: 0, customId: "a", at: "2026-11-22T05:00:00.000Z", billing: "billed" } as const;
    const bound = { inputTokens: 1000, outputTokens: 1000, thinking: false };
    totals.ended({ ...call, model: "qwen-plus", usage: null, bound });
    totals.ended({ ...call, model: "qwen-plus", usage: null, bound: null });
    const unknown = buildUsageReport(totals, meta);
    expect(unknown).toMatchObject({
      attempts: { billed: 2, possiblyBilled: 0, unknownUsage: 2 },
      tokens: { total: 0 },
      cost: { amount: null, byCurrency: [], unpricedModels: [] },
      models: [{ cost: null, attempts: { billed: 2, unknownUsage: 2, unpriced: 0 } }],
      unknownUsage: { atMost: [{ amount: 0.0016, currency: "USD" }], unbounded: 1 },
    });
    totals.ended({ ...call, model: "qwen-plus", usage: usageOf(1000, 100), bound });
    expect(buildUsageReport(totals, meta)).toMatchObject({
      attempts: { billed: 3, unknownUsage: 2 },
      cost: { amount: 0.00052 },
    });
    expect(parseUsageFile(JSON.stringify(unknown))).toEqual(unknown);
  });

  it("counts no row any more when the input is another, and still everything that was paid", () => {
    const totals = new UsageTotals(singapore);
    countRow(totals, { rowIndex: 0, possiblyBilled: 1 });
    countRow(totals, { rowIndex: 1, kind: "server", usage: null });
    totals.settled({ ...resultOf({ rowIndex: 2 }), reused: { usage: usageOf(1000, 100) } });
    const before = buildUsageReport(totals, meta);
    totals.cleared();
    totals.settled(resultOf({ rowIndex: 5 }));
    const after = buildUsageReport(totals, meta);
    expect(before).toMatchObject({ rows: { total: 3, failed: 1 }, reused: { rows: 1 } });
    expect(after).toMatchObject({
      rows: { total: 1, failed: 0 },
      failures: {},
      reused: { rows: 0, saved: [] },
    });
    for (const field of ["attempts", "tokens", "cost", "possiblyBilled"] as const)
      expect(after[field]).toEqual(before[field]);
  });

  it("counts a reused answer as saved, not as paid", () => {
    const totals = new UsageTotals(singapore);
    totals.settled({ ...resultOf({ usage: null }), reused: { usage: usageOf(1000, 100) } });
    const usage = buildUsageReport(totals, meta);
    expect(usage).toMatchObject({
      rows: { succeeded: 1 },
      attempts: { billed: 0 },
      tokens: { total: 0 },
      cost: { amount: 0 },
      reused: { rows: 1, saved: [{ amount: 0.00052, currency: "USD" }] },
    });
  });
});

const kinds: RowErrorKind[] = ["input", "content_filter", "server", "worker_lost"];
const anyResult = fc
  .record({
    model: fc.constantFrom("qwen-plus", "qwen-max", "llama", "qwen3.6-flash", "qwen-plus-2025-09-11"),
    input: fc.integer({ min: 0, max: 1_000_000 }),
    cached: fc.integer({ min: 0, max: 1_000_000 }),
    output: fc.integer({ min: 0, max: 100_000 }),
    thinking: fc.boolean(),
    kind: fc.option(fc.constantFrom(...kinds), { nil: undefined }),
    hour: fc.integer({ min: 0, max: 23 }),
  })
  .map((any) => ({
    ...any,
    finishedAt: `2026-11-22T${String(any.hour).padStart(2, "0")}:00:00.000Z`,
    usage: usageOf(any.input, any.output, { cachedInputTokens: any.cached, thinking: any.thinking }),
  }));
const anyResults = fc
  .array(anyResult, { maxLength: 40 })
  .map((list) =>
    list.map(({ kind, ...rest }, rowIndex) => ({ ...rest, rowIndex, ...(kind ? { kind } : {}) })),
  );

describe("the sums", () => {
  it("do not depend on the order of results", () => {
    fc.assert(
      fc.property(
        anyResults.chain((results) =>
          fc.tuple(fc.constant(results), fc.shuffledSubarray(results, { minLength: results.length })),
        ),
        ([results, shuffled]) => {
          expect(report(shuffled)).toEqual(report(results));
        },
      ),
    );
  });

  it("are the sums of their parts, by model and by hour", () => {
    fc.assert(
      fc.property(anyResults, (results) => {
        const usage = report(results);
        for (const parts of [usage.models, usage.hours]) {
          const sum = (of: (part: (typeof parts)[number]) => number): number =>
            parts.reduce((all, part) => all + of(part), 0);
          expect(sum((part) => part.rows.succeeded + part.rows.failed)).toBe(results.length);
          expect(sum((part) => part.tokens.total)).toBe(usage.tokens.total);
          expect(sum((part) => part.attempts.billed)).toBe(usage.attempts.billed);
          const cost = parts.reduce((all, part) => all + toExact(part.cost?.amount ?? 0), 0n);
          expect(cost).toBe(toExact(usage.cost.amount ?? 0));
        }
      }),
    );
  });
});
