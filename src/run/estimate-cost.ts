import { exactCost, toNumber, type Lane, type PricePlace, type PriceTable } from "../usage/index.js";
import type { Range } from "./estimate-sample.js";

/** What is known of one row before it is called. */
export interface SampledRow {
  readonly model: string;
  /** Estimated, not corrected. */
  readonly input: number;
  /** null: its answer has no limit. */
  readonly outputBound: number | null;
  readonly thinking: boolean;
}

export interface MoneyRange {
  readonly low: number;
  readonly likely: number;
  readonly high: number;
  readonly currency: string;
}

export interface LaneCosts {
  /** One per currency; empty when no model has a price. */
  readonly realTime: readonly MoneyRange[];
  /** null: a model is not known to be taken by the half-price batch lane, or has no price. */
  readonly batch: readonly MoneyRange[] | null;
  readonly unpricedModels: readonly string[];
  /** Priced as the base of their dated snapshot. */
  readonly approximateModels: readonly string[];
  /** The oldest day on which a price used here was looked up; null: the user's own. */
  readonly pricesAsOf: string | null;
  /** false: answers of unknown length are not in it. */
  readonly includesOutput: boolean;
}

export interface SampleCostOptions {
  /** All rows, of which the sample is one. */
  readonly rows: number;
  /** How far the sample may be off, as factors of input. */
  readonly spread: Range;
  /** True input tokens per estimated one. */
  readonly ratio: Range;
  /** Tokens of one answer; `maxTokens`: each row's own bound counts instead. null: not known. */
  readonly output: (Range & { readonly basis: "calls" | "maxTokens" }) | null;
  readonly prices: PriceTable;
  readonly place: PricePlace;
}

const SIDES = ["low", "likely", "high"] as const;

/** What all rows would cost, by lane: each sampled row at its own model's and length's price, without cache hits. */
export function costOfSample(rows: readonly SampledRow[], options: SampleCostOptions): LaneCosts {
  const { prices, place } = options;
  const models = [...new Set(rows.map(({ model }) => model))];
  const entries = new Map(models.map((model) => [model, prices.lookup(model, place)]));
  const known = [...entries.values()].flatMap((entry) => entry ?? []);
  const allBatch = known.length === entries.size && known.every(({ batch }) => batch);
  return {
    realTime: laneCost(rows, options, "real-time"),
    batch: allBatch ? laneCost(rows, options, "batch") : null,
    unpricedModels: models.filter((model) => entries.get(model) === null),
    approximateModels: models.filter((model) => entries.get(model)?.approximate === true),
    pricesAsOf: known.flatMap(({ asOf }) => asOf ?? []).toSorted()[0] ?? null,
    includesOutput: options.output !== null,
  };
}

function laneCost(rows: readonly SampledRow[], options: SampleCostOptions, lane: Lane): MoneyRange[] {
  const scale = rows.length === 0 ? 0 : options.rows / rows.length;
  const sums = new Map<string, { low: bigint; likely: bigint; high: bigint }>();
  for (const row of rows) {
    const price = options.prices.lookup(row.model, options.place);
    if (price === null) continue;
    let sum = sums.get(price.currency);
    if (sum === undefined) sums.set(price.currency, (sum = { low: 0n, likely: 0n, high: 0n }));
    for (const side of SIDES) {
      const usage = {
        inputTokens: Math.round(row.input * options.ratio[side]),
        outputTokens: Math.round(outputTokens(row, options, side)),
        cachedInputTokens: 0,
        reasoningTokens: 0,
        thinking: row.thinking,
      };
      sum[side] += exactCost(usage, price, lane) ?? 0n;
    }
  }
  return [...sums].map(([currency, sum]) => ({
    low: toNumber(sum.low) * scale * options.spread.low,
    likely: toNumber(sum.likely) * scale,
    high: toNumber(sum.high) * scale * options.spread.high,
    currency,
  }));
}

function outputTokens(
  row: SampledRow,
  { output }: SampleCostOptions,
  side: "low" | "likely" | "high",
): number {
  if (output === null) return 0;
  if (output.basis === "calls") return output[side];
  return side === "low" ? 0 : (row.outputBound ?? 0);
}
