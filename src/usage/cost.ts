import type { CallBound, Money, Usage } from "../types.js";
import { toNumber, type ExactAmount } from "./money.js";
import type { PriceEntry, PriceTier } from "./price-entry.js";
import { builtInPrices, type PricePlace, type PriceTable } from "./price-table.js";

/** How a request was made: one by one, or in the provider's own batch files at half price. */
export type Lane = "real-time" | "batch";

/** Model Studio's context cache: an implicit hit is typically billed at 20% of input. */
const CACHED_INPUT_SHARE = 0.2;
/** Model Studio's explicit cache: creating an entry is billed at 125% of input. */
const CACHE_WRITE_SHARE = 1.25;
/** Model Studio bills batch calls at half the real-time price, without cache discount. */
const BATCH_DIVISOR = 2n;

/** The tier that holds for a whole request of so many input tokens; null beyond the last known bound. */
export function tierFor(entry: PriceEntry, inputTokens: number): PriceTier | null {
  return (
    entry.tiers.find((tier) => tier.upToInputTokens === null || inputTokens <= tier.upToInputTokens) ?? null
  );
}

/**
 * What one billed attempt cost, exactly; null when its input is longer than any priced tier.
 *
 * Cached and written tokens are part of the input; thinking decides the rate of the whole output.
 */
export function exactCost(usage: Usage, entry: PriceEntry, lane: Lane = "real-time"): ExactAmount | null {
  const tier = tierFor(entry, usage.inputTokens);
  if (!tier) return null;
  const output = BigInt(usage.outputTokens) * unitsPerToken(outputRate(tier, usage));
  if (lane === "batch") {
    const input = BigInt(usage.inputTokens) * unitsPerToken(tier.input);
    return (input + output) / BATCH_DIVISOR;
  }
  let plain = usage.inputTokens;
  const take = (tokens: number): bigint => {
    const taken = Math.min(Math.max(tokens, 0), plain);
    plain -= taken;
    return BigInt(taken);
  };
  const cached =
    take(usage.cachedInputTokens) * unitsPerToken(tier.cachedInput ?? tier.input * CACHED_INPUT_SHARE);
  const written =
    take(usage.cacheWriteTokens ?? 0) * unitsPerToken(tier.cacheWrite ?? tier.input * CACHE_WRITE_SHARE);
  const audio =
    tier.audioInput === undefined ? 0n : take(usage.audioTokens ?? 0) * unitsPerToken(tier.audioInput);
  return BigInt(plain) * unitsPerToken(tier.input) + cached + written + audio + output;
}

/** `exactCost` as a number in the entry's currency. To add up many, use UsageTotals. */
export function priceUsage(usage: Usage, entry: PriceEntry, lane: Lane = "real-time"): number | null {
  const exact = exactCost(usage, entry, lane);
  return exact === null ? null : toNumber(exact);
}

/**
 * The most that one call within the bound can cost, for budgets and possibly billed starts: every tier up
 * to the bound is considered, no cache hit is hoped for. null when part of the range has no known price.
 */
export function exactCostBound(
  entry: PriceEntry,
  bound: CallBound,
  lane: Lane = "real-time",
): ExactAmount | null {
  const last = tierFor(entry, bound.inputTokens);
  if (!last) return null;
  let most = 0n;
  for (const tier of entry.tiers.slice(0, entry.tiers.indexOf(last) + 1)) {
    const inputRate = Math.max(
      tier.input,
      tier.audioInput ?? 0,
      bound.writesCache ? (tier.cacheWrite ?? tier.input * CACHE_WRITE_SHARE) : 0,
    );
    const rate = bound.thinking === false ? tier.output : Math.max(tier.output, tier.thinkingOutput ?? 0);
    const inputTokens = Math.min(bound.inputTokens, tier.upToInputTokens ?? bound.inputTokens);
    const cost =
      BigInt(Math.ceil(inputTokens)) * unitsPerToken(inputRate) +
      BigInt(Math.ceil(bound.outputTokens)) * unitsPerToken(rate);
    if (cost > most) most = cost;
  }
  return lane === "batch" ? most / BATCH_DIVISOR : most;
}

/** `exactCostBound` as money; null when there is no known price. */
export function costBound(entry: PriceEntry, bound: CallBound, lane: Lane = "real-time"): Money | null {
  const exact = exactCostBound(entry, bound, lane);
  return exact === null ? null : { amount: toNumber(exact), currency: entry.currency };
}

export interface CostEstimateInput extends PricePlace {
  readonly model: string;
  readonly rows: number;
  /** Of all rows together. The tier is that of the mean row: sum over groups when lengths differ much. */
  readonly inputTokens: number;
  /** Of all rows together, thinking included. */
  readonly outputTokens: number;
  readonly thinking?: boolean;
  /** Default: the built-in table. */
  readonly prices?: PriceTable;
}

export interface CostEstimate {
  /** null: the model is unpriced. */
  readonly realTime: Money | null;
  /** null: unpriced, or not known to be taken by the batch lane. */
  readonly batch: Money | null;
  /** The price is that of the snapshot's base model. */
  readonly approximate: boolean;
}

/** What so many rows of so many tokens would cost, by lane, without any cache hit. */
export function estimateCost(input: CostEstimateInput): CostEstimate {
  const entry = (input.prices ?? builtInPrices()).lookup(input.model, input);
  const tier = entry && tierFor(entry, input.rows > 0 ? Math.ceil(input.inputTokens / input.rows) : 0);
  if (!entry || !tier) return { realTime: null, batch: null, approximate: false };
  const rate = input.thinking ? (tier.thinkingOutput ?? tier.output) : tier.output;
  const realTime =
    BigInt(Math.round(input.inputTokens)) * unitsPerToken(tier.input) +
    BigInt(Math.round(input.outputTokens)) * unitsPerToken(rate);
  const money = (amount: ExactAmount): Money => ({ amount: toNumber(amount), currency: entry.currency });
  return {
    realTime: money(realTime),
    batch: entry.batch ? money(realTime / BATCH_DIVISOR) : null,
    approximate: entry.approximate ?? false,
  };
}

function outputRate(tier: PriceTier, usage: Usage): number {
  const thinking = usage.thinking === true || usage.reasoningTokens > 0;
  return thinking ? (tier.thinkingOutput ?? tier.output) : tier.output;
}

/** A price per million tokens in exact units per token. */
function unitsPerToken(pricePerMillion: number): bigint {
  return BigInt(Math.round(pricePerMillion * 1e9));
}
