import type { CallBound, RowErrorKind, Usage } from "../types.js";
import { exactCost, exactCostBound, type Lane } from "./cost.js";
import type { ExactAmount } from "./money.js";
import type { PriceEntry } from "./price-entry.js";

/** Sums of one kind each; `input` includes `cachedInput` and `cacheWrite`, `output` includes `reasoning`. */
export interface TokenCounts {
  input: number;
  output: number;
  cachedInput: number;
  reasoning: number;
  /** input + output */
  total: number;
  /** Written to an explicit cache. Absent when zero. */
  cacheWrite?: number;
}

/**
 * What was used of one model within one UTC hour: the atom of every report. Rows count where their
 * standing result lies, tokens and money where each attempt's result lies.
 */
export interface UsageBucket {
  /** `2026-11-22T05Z` */
  readonly hour: string;
  readonly model: string;
  readonly price: PriceEntry | null;
  succeeded: number;
  failed: number;
  billed: number;
  possiblyBilled: number;
  /** Billed attempts whose price is not known. */
  unpriced: number;
  /** Billed attempts whose tokens are not known; they are neither in `unpriced` nor in tokens and cost. */
  unknownUsage: number;
  /** The most that they can have cost, of those with a bound. */
  unknownAtMost: ExactAmount;
  /** How many of them have none. */
  unknownUnbounded: number;
  tokens: TokenCounts;
  /** Of the priced attempts, in the price's currency. */
  cost: ExactAmount;
  failures: Partial<Record<RowErrorKind, number>>;
  /** Rows answered from earlier runs, at no cost. */
  reused: number;
  /** What the reused answers would have cost. */
  saved: ExactAmount;
}

export function emptyTokens(): TokenCounts {
  return { input: 0, output: 0, cachedInput: 0, reasoning: 0, total: 0 };
}

export function emptyBucket(hour: string, model: string, price: PriceEntry | null): UsageBucket {
  return {
    hour,
    model,
    price,
    succeeded: 0,
    failed: 0,
    billed: 0,
    possiblyBilled: 0,
    unpriced: 0,
    unknownUsage: 0,
    unknownAtMost: 0n,
    unknownUnbounded: 0,
    tokens: emptyTokens(),
    cost: 0n,
    failures: {},
    reused: 0,
    saved: 0n,
  };
}

/** Counts one billed attempt. */
export function addAttempt(bucket: UsageBucket, usage: Usage, lane: Lane): void {
  bucket.billed += 1;
  const { tokens } = bucket;
  tokens.input += usage.inputTokens;
  tokens.output += usage.outputTokens;
  tokens.cachedInput += usage.cachedInputTokens;
  tokens.reasoning += usage.reasoningTokens;
  tokens.total += usage.inputTokens + usage.outputTokens;
  if (usage.cacheWriteTokens) tokens.cacheWrite = (tokens.cacheWrite ?? 0) + usage.cacheWriteTokens;
  const cost = bucket.price && exactCost(usage, bucket.price, lane);
  if (cost === null) bucket.unpriced += 1;
  else bucket.cost += cost;
}

/** Counts one billed attempt of which nobody knows the tokens. */
export function addUnknownAttempt(bucket: UsageBucket, bound: CallBound | null, lane: Lane): void {
  bucket.billed += 1;
  bucket.unknownUsage += 1;
  const atMost = bucket.price && bound && exactCostBound(bucket.price, bound, lane);
  if (atMost === null) bucket.unknownUnbounded += 1;
  else bucket.unknownAtMost += atMost;
}

export function addTokens(sum: TokenCounts, more: Readonly<TokenCounts>): void {
  sum.input += more.input;
  sum.output += more.output;
  sum.cachedInput += more.cachedInput;
  sum.reasoning += more.reasoning;
  sum.total += more.total;
  if (more.cacheWrite) sum.cacheWrite = (sum.cacheWrite ?? 0) + more.cacheWrite;
}

/** Counts (or, with -1, takes back) a row's outcome. `kind` null: it succeeded. */
export function countRow(bucket: UsageBucket, kind: RowErrorKind | null, by: 1 | -1): void {
  if (kind === null) {
    bucket.succeeded += by;
    return;
  }
  bucket.failed += by;
  const count = (bucket.failures[kind] ?? 0) + by;
  if (count === 0) delete bucket.failures[kind];
  else bucket.failures[kind] = count;
}

/** `a` plus `b`, for sums over hours of the same model. */
export function mergeBucket(sum: UsageBucket, more: Readonly<UsageBucket>): void {
  sum.succeeded += more.succeeded;
  sum.failed += more.failed;
  sum.billed += more.billed;
  sum.possiblyBilled += more.possiblyBilled;
  sum.unpriced += more.unpriced;
  sum.unknownUsage += more.unknownUsage;
  sum.unknownAtMost += more.unknownAtMost;
  sum.unknownUnbounded += more.unknownUnbounded;
  addTokens(sum.tokens, more.tokens);
  sum.cost += more.cost;
  addCounts(sum.failures, more.failures);
  sum.reused += more.reused;
  sum.saved += more.saved;
}

export function addCounts<Key extends string>(
  sum: Partial<Record<Key, number>>,
  more: Readonly<Partial<Record<Key, number>>>,
): void {
  for (const key of Object.keys(more) as Key[]) sum[key] = (sum[key] ?? 0) + (more[key] ?? 0);
}
