import type { RowErrorKind, Usage } from "../types.js";
import { exactCost, type Lane } from "./cost.js";
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
  addTokens(bucket.tokens, {
    input: usage.inputTokens,
    output: usage.outputTokens,
    cachedInput: usage.cachedInputTokens,
    reasoning: usage.reasoningTokens,
    total: usage.inputTokens + usage.outputTokens,
    ...(usage.cacheWriteTokens ? { cacheWrite: usage.cacheWriteTokens } : {}),
  });
  const cost = bucket.price && exactCost(usage, bucket.price, lane);
  if (cost === null) bucket.unpriced += 1;
  else bucket.cost += cost;
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
