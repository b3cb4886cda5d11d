import type { Money, RowErrorKind } from "../types.js";
import type { Lane } from "./cost.js";
import { MoneySum, toNumber, type ExactAmount } from "./money.js";
import { addCounts, addTokens, emptyTokens, type TokenCounts, type UsageBucket } from "./usage-bucket.js";
import type { PossiblyBilledRow } from "./possible-calls.js";
import type { CountableCall, UsageTotals } from "./usage-totals.js";

/** Calls of the model. */
export interface AttemptCounts {
  readonly billed: number;
  readonly possiblyBilled: number;
  /** Billed ones whose tokens nobody knows: they are in neither tokens nor cost. */
  readonly unknownUsage: number;
}

/** Of one model, or of one model within one hour. */
export interface ModelUsage {
  readonly model: string;
  readonly rows: { readonly succeeded: number; readonly failed: number };
  readonly attempts: AttemptCounts & { readonly unpriced: number };
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
  readonly attempts: AttemptCounts;
  readonly tokens: Readonly<TokenCounts>;
  readonly cost: {
    /** Of the priced models; null when calls were billed and no cost is known of any. */
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
  /** Calls with no recorded answer, and the most that they can have cost. */
  readonly possiblyBilled: {
    readonly rows: readonly PossiblyBilledRow[];
    readonly atMost: readonly Money[];
    /** Calls for which no bound is known; not in `atMost`. */
    readonly unbounded: number;
    /** Beside all these, at most: calls of workers that died together with a queue server that lost data. */
    readonly unknownStarts: number;
  };
  /** The most that calls of `attempts.unknownUsage` can have cost. */
  readonly unknownUsage: { readonly atMost: readonly Money[]; readonly unbounded: number };
  /** The same usage by UTC hour and model, from which days in any time zone are made. */
  readonly hours: readonly HourUsage[];
}

export interface UsageReportMeta {
  readonly runId: string;
  readonly job: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Calls without a known end; none while they are under way. */
  readonly openStarts?: Iterable<Omit<CountableCall, "billing" | "usage">>;
  /** @default 0 */
  readonly unknownStarts?: number;
}

/** Makes usage.json out of the sums so far. Pure; may be called at any time. */
export function buildUsageReport(sums: UsageTotals, meta: UsageReportMeta): UsageReport {
  const totals = sums.withOpenStarts(meta.openStarts ?? []);
  const models = totals.models();
  const possiblyBilledRows = totals.possiblyBilledRows();
  const { rows, attempts, tokens, failures } = sumOf(models);
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
    rows,
    attempts,
    tokens,
    cost: costOf(models),
    failures,
    reused: {
      rows: models.reduce((rows, model) => rows + model.reused, 0),
      saved: moneyOf(models, (model) => (model.reused > 0 ? model.saved : null)),
    },
    models: models.map(modelUsage),
    possiblyBilled: {
      rows: possiblyBilledRows,
      atMost: boundOf(possiblyBilledRows),
      unbounded: possiblyBilledRows.reduce((starts, row) => starts + (row.atMost ? 0 : row.starts), 0),
      unknownStarts: meta.unknownStarts ?? 0,
    },
    unknownUsage: {
      atMost: moneyOf(models, (model) =>
        model.unknownUsage > model.unknownUnbounded ? model.unknownAtMost : null,
      ),
      unbounded: models.reduce((calls, model) => calls + model.unknownUnbounded, 0),
    },
    hours: totals.buckets().map((bucket) => ({ hour: bucket.hour, ...modelUsage(bucket) })),
  };
}

function sumOf(
  models: readonly UsageBucket[],
): Pick<UsageReport, "rows" | "attempts" | "tokens" | "failures"> {
  const rows = { total: 0, succeeded: 0, failed: 0 };
  const attempts = { billed: 0, possiblyBilled: 0, unknownUsage: 0 };
  const tokens = emptyTokens();
  const failures: Partial<Record<RowErrorKind, number>> = {};
  for (const model of models) {
    rows.succeeded += model.succeeded;
    rows.failed += model.failed;
    rows.total += model.succeeded + model.failed;
    attempts.billed += model.billed;
    attempts.possiblyBilled += model.possiblyBilled;
    attempts.unknownUsage += model.unknownUsage;
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
  const nonePriced = billed.length > 0 && billed.every(isUnpriced);
  return {
    amount: nonePriced ? null : (largest?.amount ?? 0),
    currency: largest?.currency ?? null,
    pricesAsOf: dates.sort()[0] ?? null,
    unpricedModels: models.filter((model) => model.unpriced > 0).map((model) => model.model),
    approximateModels: billed.filter((model) => model.price?.approximate).map((model) => model.model),
    byCurrency: nonePriced ? [] : byCurrency,
  };
}

/** `amountOf` null: the model adds nothing, not even a zero. */
function moneyOf(
  models: readonly UsageBucket[],
  amountOf: (model: UsageBucket) => ExactAmount | null,
): Money[] {
  const sum = new MoneySum();
  for (const model of models) {
    const amount = amountOf(model);
    if (model.price && amount !== null) sum.addExact(model.price.currency, amount);
  }
  return sum.toJSON();
}

/** Whether no billed call of the model has a known cost. */
function isUnpriced({ billed, unpriced, unknownUsage }: UsageBucket): boolean {
  return billed > 0 && unpriced + unknownUsage === billed;
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
  const { billed, possiblyBilled, unknownUsage, unpriced } = bucket;
  return {
    model: bucket.model,
    rows: { succeeded: bucket.succeeded, failed: bucket.failed },
    attempts: { billed, possiblyBilled, unknownUsage, unpriced },
    tokens: bucket.tokens,
    cost: isUnpriced(bucket) ? null : money(bucket.cost),
    ...(price?.approximate ? { approximate: true } : {}),
    failures: bucket.failures,
    reused: { rows: bucket.reused, saved: bucket.reused > 0 ? money(bucket.saved) : null },
  };
}
