import type { CallBound, RowErrorKind, Usage } from "../types.js";
import { compareText } from "./compare-text.js";
import { exactCost, type Lane } from "./cost.js";
import { PossibleCalls, type PossiblyBilledRow } from "./possible-calls.js";
import { builtInPrices, type PricePlace, type PriceTable } from "./price-table.js";
import { RowOutcomes } from "./row-outcomes.js";
import {
  addAttempt,
  addUnknownAttempt,
  countRow,
  emptyBucket,
  mergeBucket,
  type UsageBucket,
} from "./usage-bucket.js";

/** A call of the model that ended. */
export interface CountableCall {
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  /** When it ended, ISO 8601. */
  readonly at: string;
  readonly billing: "billed" | "free" | "possible";
  /** null with `billed`: unknown. */
  readonly usage: Usage | null;
  /** What it cannot exceed; null: not known. */
  readonly bound: CallBound | null;
}

/** A result that stands for its row. `reused`: its answer came from an earlier run, unpaid. */
export interface CountableResult {
  readonly rowIndex: number;
  readonly model: string;
  readonly finishedAt: string;
  readonly status: "succeeded" | "failed";
  readonly error?: { readonly kind: RowErrorKind };
  readonly reused?: { readonly usage: Usage | null };
}

export interface UsageTotalsOptions extends PricePlace {
  /** Default: the built-in table. */
  readonly prices?: PriceTable;
  /** Default real-time. */
  readonly lane?: Lane;
}

/**
 * Adds up what a run's calls used and cost, one at a time: a listener of the journal's fold.
 *
 * Exact. Every call counts in the hour and model in which it ended, a row where its standing result lies. Memory: one bucket per
 * model and hour, the possibly billed rows, and four bytes per row.
 */
export class UsageTotals {
  readonly prices: PriceTable;
  readonly place: PricePlace;
  readonly lane: Lane;
  readonly #buckets: UsageBucket[] = [];
  readonly #bucketIndex = new Map<string, number>();
  readonly #outcomes = new RowOutcomes();
  readonly #possible = new PossibleCalls();
  /** The bucket that was found last: calls of one model that end within an hour come one after the other. */
  #last = { hour: "-", model: "", index: -1 };

  constructor(options: UsageTotalsOptions = {}) {
    this.prices = options.prices ?? builtInPrices();
    this.place = { region: options.region ?? null, provider: options.provider ?? null };
    this.lane = options.lane ?? "real-time";
  }

  /** Counts a call that ended. */
  ended(call: CountableCall): void {
    if (call.billing === "free") return;
    const bucket = this.#bucket(this.#indexOf(call.at, call.model));
    if (call.billing === "possible") this.#addPossible(bucket, call);
    else if (call.usage === null) addUnknownAttempt(bucket, call.bound, this.lane);
    else addAttempt(bucket, call.usage, this.lane);
  }

  /** Counts a row by its result, and no more by the one that it had before. */
  settled(result: CountableResult): void {
    const index = this.#indexOf(result.finishedAt, result.model);
    const kind = result.error?.kind ?? null;
    const outcome = kind === null ? 0 : kindNumber(kind) + 1;
    const before = this.#outcomes.replace(result.rowIndex, { bucket: index, outcome });
    if (before !== null) countRow(this.#bucket(before.bucket), kindOf(before.outcome), -1);
    const bucket = this.#bucket(index);
    countRow(bucket, kind, 1);
    if (result.reused) this.#addReused(bucket, result.reused.usage);
  }

  /** No row has a result any more; what was paid stays. */
  cleared(): void {
    this.#outcomes.clear();
    for (const bucket of this.#buckets) {
      bucket.succeeded = bucket.failed = bucket.reused = 0;
      bucket.saved = 0n;
      bucket.failures = {};
    }
  }

  /** The same sums with calls that were started and may have been billed, as long as nobody knows their ends. */
  withOpenStarts(starts: Iterable<Omit<CountableCall, "billing" | "usage">>): UsageTotals {
    const totals = new UsageTotals({ ...this.place, prices: this.prices, lane: this.lane });
    for (const bucket of this.#buckets)
      mergeBucket(totals.#bucket(totals.#indexOfHour(bucket.hour, bucket.model)), bucket);
    totals.#possible.addAll(this.#possible);
    for (const start of starts) totals.ended({ ...start, billing: "possible", usage: null });
    return totals;
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
    return this.#possible.rows();
  }

  #addPossible(bucket: UsageBucket, call: CountableCall): void {
    bucket.possiblyBilled += 1;
    this.#possible.add(call, bucket.price, this.lane);
  }

  #addReused(bucket: UsageBucket, usage: Usage | null): void {
    bucket.reused += 1;
    const saved = usage && bucket.price && exactCost(usage, bucket.price, this.lane);
    if (saved !== null) bucket.saved += saved;
  }

  #indexOf(time: string, model: string): number {
    const last = this.#last;
    if (last.model === model && time.startsWith(last.hour)) return last.index;
    const hour = utcHour(time);
    const index = this.#indexOfHour(hour, model);
    this.#last = { hour: hour.slice(0, -1), model, index };
    return index;
  }

  #indexOfHour(hour: string, model: string): number {
    const key = `${hour} ${model}`;
    let index = this.#bucketIndex.get(key);
    if (index === undefined) {
      index = this.#buckets.push(emptyBucket(hour, model, this.prices.lookup(model, this.place))) - 1;
      this.#bucketIndex.set(key, index);
    }
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
