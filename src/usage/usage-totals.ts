import type { CallBound, Money, Result, RowErrorKind, Usage } from "../types.js";
import { compareText } from "./compare-text.js";
import { exactCost, exactCostBound, type Lane } from "./cost.js";
import { toNumber } from "./money.js";
import type { PriceEntry } from "./price-entry.js";
import { builtInPrices, type PricePlace, type PriceTable } from "./price-table.js";
import { RowOutcomes } from "./row-outcomes.js";
import { addAttempt, countRow, emptyBucket, mergeBucket, type UsageBucket } from "./usage-bucket.js";

/** A result as the journal may hold it; `reused` says that its answer came from an earlier run, unpaid. */
export type CountableResult = Result & {
  readonly reused?: { readonly runId: string; readonly usage?: Usage | null };
};

/** Starts of a row that have no recorded end: they may have been billed. */
export interface PossiblyBilledRow {
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  readonly starts: number;
  /** All starts together cost no more than this; null when the model or the bound is not known. */
  readonly atMost: Money | null;
}

export interface UsageTotalsOptions extends PricePlace {
  /** Default: the built-in table. */
  readonly prices?: PriceTable;
  /** Default real-time. */
  readonly lane?: Lane;
  /**
   * Tokens that one call of this row's request cannot exceed, for the upper bound of possibly billed
   * starts; null when not known. Default: the result's own `callBound`.
   */
  readonly boundOf?: (result: Result) => CallBound | null;
}

/**
 * Adds up what results used and cost, one at a time.
 *
 * Exact and independent of order. Every billed attempt counts; of a row settled twice (a retry) both
 * results' usage counts and the one added later stands for the row. A result equal in row, outcome and
 * time to the row's standing one is the same line again and is ignored. Memory: one bucket per model and
 * hour, the possibly billed rows, and eight bytes per row.
 */
export class UsageTotals {
  readonly prices: PriceTable;
  readonly place: PricePlace;
  readonly lane: Lane;
  readonly #boundOf: UsageTotalsOptions["boundOf"];
  readonly #buckets: UsageBucket[] = [];
  readonly #bucketIndex = new Map<string, number>();
  readonly #outcomes = new RowOutcomes();
  readonly #possiblyBilled = new Map<number, PossiblyBilledRow[]>();
  /** Extra answers by what tells them apart; there are few. */
  readonly #extras = new Set<string>();

  constructor(options: UsageTotalsOptions = {}) {
    this.prices = options.prices ?? builtInPrices();
    this.place = { region: options.region ?? null, provider: options.provider ?? null };
    this.lane = options.lane ?? "real-time";
    this.#boundOf = options.boundOf;
  }

  /** Counts a settled row. Returns false when the same result had been counted before. */
  add(result: CountableResult): boolean {
    const index = this.#indexOf(result.finishedAt, result.model);
    const kind = result.status === "failed" ? result.error.kind : null;
    const before = this.#outcomes.replace(result.rowIndex, {
      bucket: index,
      outcome: kind === null ? 0 : kindNumber(kind) + 1,
      finishedAtMs: Date.parse(result.finishedAt),
    });
    if (before === "same") return false;
    const bucket = this.#bucket(index);
    if (before !== null) countRow(this.#bucket(before.bucket), kindOf(before.outcome), -1);
    countRow(bucket, kind, 1);
    if (result.reused) this.#addReused(bucket, result.reused.usage ?? result.usage);
    else this.#addAttempts(bucket, result);
    return true;
  }

  #addAttempts(bucket: UsageBucket, result: CountableResult): void {
    for (const usage of result.priorUsages ?? []) addAttempt(bucket, usage, this.lane);
    if (result.usage) addAttempt(bucket, result.usage, this.lane);
    if (result.possiblyBilled > 0) {
      const bound = this.#boundOf === undefined ? (result.callBound ?? null) : this.#boundOf(result);
      bucket.possiblyBilled += result.possiblyBilled;
      this.#listPossiblyBilled(result, result.possiblyBilled, bucket.price, bound);
    }
  }

  /**
   * Counts what an answer cost that came for a row which has its result already: tokens and money, no row.
   * Only its own usage: earlier attempts of the row are those of the standing result, unless it has none
   * (`orphaned`). Returns false when this very answer had been counted before.
   */
  addExtra(result: CountableResult): boolean {
    const key = `${result.rowIndex}:${result.attemptsStarted}:${result.finishedAt}`;
    if (this.#extras.has(key)) return false;
    this.#extras.add(key);
    if (result.reused) return true;
    const bucket = this.#bucket(this.#indexOf(result.finishedAt, result.model));
    if (result.orphaned === true) this.#addAttempts(bucket, result);
    else if (result.usage) addAttempt(bucket, result.usage, this.lane);
    return true;
  }

  /** Counts starts without an end of a row that is not settled. `at` is when it was noticed, ISO 8601. */
  addPossiblyBilled(
    row: { rowIndex: number; customId: string; model: string; starts: number },
    at: string,
    bound: CallBound | null = null,
  ): void {
    const bucket = this.#bucket(this.#indexOf(at, row.model));
    bucket.possiblyBilled += row.starts;
    this.#listPossiblyBilled(row, row.starts, bucket.price, bound);
  }

  /** Per UTC hour and model, in that order. */
  buckets(): UsageBucket[] {
    return this.#buckets.toSorted((a, b) => compareText(a.hour, b.hour) || compareText(a.model, b.model));
  }

  /** Per model, in alphabetical order; `hour` is empty. */
  models(): UsageBucket[] {
    const byModel = new Map<string, UsageBucket>();
    for (const bucket of this.#buckets) {
      let sum = byModel.get(bucket.model);
      if (!sum) byModel.set(bucket.model, (sum = emptyBucket("", bucket.model, bucket.price)));
      mergeBucket(sum, bucket);
    }
    return [...byModel.values()].sort((a, b) => compareText(a.model, b.model));
  }

  /** By row, in ascending order. */
  possiblyBilledRows(): PossiblyBilledRow[] {
    return [...this.#possiblyBilled].sort(([a], [b]) => a - b).flatMap(([, rows]) => rows);
  }

  #addReused(bucket: UsageBucket, usage: Usage | null): void {
    bucket.reused += 1;
    const saved = usage && bucket.price && exactCost(usage, bucket.price, this.lane);
    if (saved !== null) bucket.saved += saved;
  }

  #listPossiblyBilled(
    row: { rowIndex: number; customId: string; model: string },
    starts: number,
    price: PriceEntry | null,
    bound: CallBound | null,
  ): void {
    const once = price && bound && exactCostBound(price, bound, this.lane);
    const rows = this.#possiblyBilled.get(row.rowIndex) ?? [];
    rows.push({
      rowIndex: row.rowIndex,
      customId: row.customId,
      model: row.model,
      starts,
      atMost:
        price && once !== null ? { amount: toNumber(once * BigInt(starts)), currency: price.currency } : null,
    });
    this.#possiblyBilled.set(row.rowIndex, rows);
  }

  #indexOf(time: string, model: string): number {
    const hour = utcHour(time);
    const key = `${hour} ${model}`;
    const known = this.#bucketIndex.get(key);
    if (known !== undefined) return known;
    const index = this.#buckets.push(emptyBucket(hour, model, this.prices.lookup(model, this.place))) - 1;
    this.#bucketIndex.set(key, index);
    return index;
  }

  #bucket(index: number): UsageBucket {
    const bucket = this.#buckets[index];
    if (!bucket) throw new RangeError(`No usage bucket ${index}.`);
    return bucket;
  }
}

/** `2026-11-22T05Z` of an ISO 8601 time. Throws RangeError when it is not a time. */
export function utcHour(time: string): string {
  const utc = time.endsWith("Z") && time.length >= 20 ? time : new Date(time).toISOString();
  return `${utc.slice(0, 13)}Z`;
}

/** Kinds by number, as compact storage needs them. Kinds not known to this version are appended. */
const KINDS: RowErrorKind[] = [
  "input",
  "invalid_request",
  "content_filter",
  "timeout",
  "network",
  "server",
  "throttled",
  "bad_response",
  "invalid_output",
  "worker_lost",
];

function kindNumber(kind: RowErrorKind): number {
  const index = KINDS.indexOf(kind);
  return index >= 0 ? index : KINDS.push(kind) - 1;
}

function kindOf(outcome: number): RowErrorKind | null {
  return outcome === 0 ? null : (KINDS[outcome - 1] ?? null);
}
