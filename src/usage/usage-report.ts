import type { Money, RowErrorKind } from "../types.js";
import type { Lane } from "./cost.js";
import { MoneySum, toNumber } from "./money.js";
import { addCounts, addTokens, emptyTokens, type TokenCounts, type UsageBucket } from "./usage-bucket.js";
import type { PossiblyBilledRow, UsageTotals } from "./usage-totals.js";

/** Of one model, or of one model within one hour. */
export interface ModelUsage {
  readonly model: string;
  readonly rows: { readonly succeeded: number; readonly failed: number };
  readonly attempts: { readonly billed: number; readonly possiblyBilled: number; readonly unpriced: number };
  readonly tokens: Readonly<TokenCounts>;
  /** Of the priced attempts; null when the model has no price. */
  readonly cost: Money | null;
  /** The price is that of the snapshot's base model. Absent when exact. */
  readonly approximate?: boolean;
  readonly failures: Readonly<Partial<Record<RowErrorKind, number>>>;
  readonly reused: { readonly rows: number; readonly saved: Money | null };
}

/** Of one model within one UTC hour (`2026-11-22T05Z`). */
export interface HourUsage extends ModelUsage {
  readonly hour: string;
}

/** usage.json. Money is exact to 15 digits; round for display only. */
export interface UsageReport {
  readonly schemaVersion: 1;
  readonly runId: string;
  readonly job: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly provider: string | null;
  readonly region: string | null;
  readonly lane: Lane;
  readonly startedAt: string;
  /** null: the run is not finished. */
  readonly finishedAt: string | null;
  /** `total` counts settled rows. */
  readonly rows: { readonly total: number; readonly succeeded: number; readonly failed: number };
  readonly attempts: { readonly billed: number; readonly possiblyBilled: number };
  readonly tokens: Readonly<TokenCounts>;
  readonly cost: {
    /** Of the priced models; null when tokens were used and none of them has a price. */
    readonly amount: number | null;
    readonly currency: string | null;
    /** Oldest day on which a price used here was looked up; null: the user's own, undated, or none. */
    readonly pricesAsOf: string | null;
    /** Models with billed attempts that have no price: their cost is not in `amount`. */
    readonly unpricedModels: readonly string[];
    /** Models priced as the base of their dated snapshot. */
    readonly approximateModels: readonly string[];
    /** One sum per currency. `amount` and `currency` repeat the largest when there are several. */
    readonly byCurrency: readonly Money[];
  };
  /** Why rows failed, by their standing result. */
  readonly failures: Readonly<Partial<Record<RowErrorKind, number>>>;
  readonly reused: { readonly rows: number; readonly saved: readonly Money[] };
  readonly models: readonly ModelUsage[];
  /** Starts with no recorded end, and the most that they can have cost. */
  readonly possiblyBilled: {
    readonly rows: readonly PossiblyBilledRow[];
    readonly atMost: readonly Money[];
    /** Starts for which no bound is known; not in `atMost`. */
    readonly unbounded: number;
  };
  /** The same usage by UTC hour and model, from which days in any time zone are made. */
  readonly hours: readonly HourUsage[];
}

export interface UsageReportMeta {
  readonly runId: string;
  readonly job: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly startedAt: string;
  readonly finishedAt: string | null;
}

/** Makes usage.json out of the sums so far. Pure; may be called at any time. */
export function buildUsageReport(totals: UsageTotals, meta: UsageReportMeta): UsageReport {
  const models = totals.models();
  const possiblyBilledRows = totals.possiblyBilledRows();
  const sums = sumOf(models);
  return {
    schemaVersion: 1,
    runId: meta.runId,
    job: meta.job,
    tags: meta.tags,
    provider: totals.place.provider ?? null,
    region: totals.place.region ?? null,
    lane: totals.lane,
    startedAt: meta.startedAt,
    finishedAt: meta.finishedAt,
    rows: sums.rows,
    attempts: sums.attempts,
    tokens: sums.tokens,
    cost: costOf(models),
    failures: sums.failures,
    reused: {
      rows: models.reduce((rows, model) => rows + model.reused, 0),
      saved: savedBy(models),
    },
    models: models.map(modelUsage),
    possiblyBilled: {
      rows: possiblyBilledRows,
      atMost: boundOf(possiblyBilledRows),
      unbounded: possiblyBilledRows.reduce((starts, row) => starts + (row.atMost ? 0 : row.starts), 0),
    },
    hours: totals.buckets().map((bucket) => ({ hour: bucket.hour, ...modelUsage(bucket) })),
  };
}

function sumOf(
  models: readonly UsageBucket[],
): Pick<UsageReport, "rows" | "attempts" | "tokens" | "failures"> {
  const rows = { total: 0, succeeded: 0, failed: 0 };
  const attempts = { billed: 0, possiblyBilled: 0 };
  const tokens = emptyTokens();
  const failures: Partial<Record<RowErrorKind, number>> = {};
  for (const model of models) {
    rows.succeeded += model.succeeded;
    rows.failed += model.failed;
    rows.total += model.succeeded + model.failed;
    attempts.billed += model.billed;
    attempts.possiblyBilled += model.possiblyBilled;
    addTokens(tokens, model.tokens);
    addCounts(failures, model.failures);
  }
  return { rows, attempts, tokens, failures };
}

function costOf(models: readonly UsageBucket[]): UsageReport["cost"] {
  const sum = new MoneySum();
  const dates: string[] = [];
  for (const { price, cost } of models) {
    if (!price) continue;
    sum.addExact(price.currency, cost);
    if (price.asOf !== null) dates.push(price.asOf);
  }
  const byCurrency = sum.toJSON();
  const largest = byCurrency.reduce<Money | null>(
    (most, money) => (most && most.amount >= money.amount ? most : money),
    null,
  );
  const billed = models.filter((model) => model.billed > 0);
  const nonePriced = billed.length > 0 && billed.every((model) => model.unpriced === model.billed);
  return {
    amount: nonePriced ? null : (largest?.amount ?? 0),
    currency: largest?.currency ?? null,
    pricesAsOf: dates.sort()[0] ?? null,
    unpricedModels: models.filter((model) => model.unpriced > 0).map((model) => model.model),
    approximateModels: billed.filter((model) => model.price?.approximate).map((model) => model.model),
    byCurrency: nonePriced ? [] : byCurrency,
  };
}

function savedBy(models: readonly UsageBucket[]): Money[] {
  const sum = new MoneySum();
  for (const model of models)
    if (model.price && model.reused > 0) sum.addExact(model.price.currency, model.saved);
  return sum.toJSON();
}

function boundOf(rows: readonly PossiblyBilledRow[]): Money[] {
  const sum = new MoneySum();
  for (const row of rows) if (row.atMost) sum.add(row.atMost);
  return sum.toJSON();
}

function modelUsage(bucket: UsageBucket): ModelUsage {
  const { price } = bucket;
  const money = (amount: bigint): Money | null =>
    price && { amount: toNumber(amount), currency: price.currency };
  const nonePriced = bucket.billed > 0 && bucket.unpriced === bucket.billed;
  return {
    model: bucket.model,
    rows: { succeeded: bucket.succeeded, failed: bucket.failed },
    attempts: { billed: bucket.billed, possiblyBilled: bucket.possiblyBilled, unpriced: bucket.unpriced },
    tokens: bucket.tokens,
    cost: nonePriced ? null : money(bucket.cost),
    ...(price?.approximate ? { approximate: true } : {}),
    failures: bucket.failures,
    reused: { rows: bucket.reused, saved: bucket.reused > 0 ? money(bucket.saved) : null },
  };
}
