import { UsageError } from "../errors.js";
import type { Money } from "../types.js";
import { CalendarDays, hourStart, parsePeriodEnd, type PeriodEnd } from "./calendar-day.js";
import type { RunUsage } from "./run-usage.js";
import { checkExchangeRates, convertMoney, type ExchangeRate } from "./exchange-rate.js";
import { compareText } from "./compare-text.js";
import { GroupSum, type UsageGroup } from "./usage-group.js";
import type { HourUsage, UsageReport } from "./usage-report.js";

/** What usage is grouped by. */
export type Dimension = "job" | "model" | "day" | "provider" | `tag:${string}`;

export interface AggregateOptions {
  /** In this order; empty: the total only. */
  readonly by?: readonly Dimension[];
  /** IANA name of the zone whose days count. Default UTC. */
  readonly timeZone?: string;
  /** A day (included) or a time; see `parsePeriodEnd`. Times are rounded down to the UTC hour. */
  readonly since?: string;
  /** A day (included) or a time (excluded). */
  readonly until?: string;
  readonly rates?: readonly ExchangeRate[];
}

/** What `report --format json` prints. */
export interface UsageSummary {
  readonly schemaVersion: 1;
  readonly by: readonly Dimension[];
  readonly timeZone: string;
  readonly since: string | null;
  readonly until: string | null;
  readonly rates: readonly ExchangeRate[];
  /** Runs with usage in the period, by start. */
  readonly runs: readonly Pick<UsageReport, "runId" | "job" | "startedAt" | "finishedAt">[];
  /** By day when that is a dimension, else the most expensive first. Empty when `by` is. */
  readonly groups: readonly UsageGroup[];
  readonly total: UsageGroup;
  /** The most that possibly billed starts of these runs can have cost, over the whole of each run. */
  readonly possiblyBilledAtMost: readonly Money[];
  readonly warnings: readonly string[];
}

/**
 * Reads `--by job,model,day,provider,tag:x`. Throws UsageError for anything else, or one twice.
 */
export function parseDimensions(text: string): Dimension[] {
  const names = text.split(",").map((name) => name.trim());
  const wrong = names.find((name, index) => !isDimension(name) || names.indexOf(name) !== index);
  if (wrong === undefined) return names.filter(isDimension);
  throw new UsageError(
    `--by: ${JSON.stringify(wrong)} is not something to group by, or stands there twice.`,
    {
      code: "invalid_dimension",
      hint: "Choose among job, model, day, provider and tag:<name>: --by day,model",
    },
  );
}

function isDimension(name: string): name is Dimension {
  return ["job", "model", "day", "provider"].includes(name) || /^tag:./.test(name);
}

/**
 * Sums usage over runs, by any combination of dimensions. Pure; groups add up to the total in every
 * count, but for `runs`, which a run enters once per group. Throws UsageError for wrong options.
 */
export function aggregate(runs: readonly RunUsage[], options: AggregateOptions = {}): UsageSummary {
  const by = options.by ?? [];
  const rates = options.rates ?? [];
  checkExchangeRates(rates);
  const days = new CalendarDays(options.timeZone ?? "UTC");
  const isInPeriod = period(options, days);
  const total = new GroupSum({});
  const groups = new Map<string, GroupSum>();
  const counted = new Set<RunUsage>();
  let splits = false;
  for (const run of runs) {
    for (const part of run.usage.hours) {
      if (!isInPeriod(part.hour)) continue;
      counted.add(run);
      splits ||= days.splitsHours(part.hour);
      const group = Object.fromEntries(by.map((name) => [name, valueOf(name, run.usage, part, days)]));
      const key = JSON.stringify(Object.values(group));
      total.add(run, part);
      if (by.length === 0) continue;
      let sum = groups.get(key);
      if (!sum) groups.set(key, (sum = new GroupSum(group)));
      sum.add(run, part);
    }
  }
  const inReport = [...counted];
  return {
    schemaVersion: 1,
    by,
    timeZone: days.timeZone,
    since: options.since ?? null,
    until: options.until ?? null,
    rates,
    runs: inReport.map(({ usage: { runId, job, startedAt, finishedAt } }) => ({
      runId,
      job,
      startedAt,
      finishedAt,
    })),
    groups: sorted(
      [...groups.values()].map((sum) => sum.result(rates)),
      by,
    ),
    total: total.result(rates),
    possiblyBilledAtMost: convertMoney(
      inReport.flatMap((run) => run.usage.possiblyBilled.atMost),
      rates,
    ),
    warnings: [...warningsOf(inReport), ...(splits && by.includes("day") ? [splitWarning(days)] : [])],
  };
}

function valueOf(dimension: Dimension, usage: UsageReport, part: HourUsage, days: CalendarDays): string {
  switch (dimension) {
    case "job":
      return usage.job;
    case "model":
      return part.model;
    case "day":
      return days.dayOf(part.hour);
    case "provider":
      return usage.provider ?? "(unknown)";
    default:
      return Object.entries(usage.tags).find(([name]) => `tag:${name}` === dimension)?.[1] ?? "(none)";
  }
}

function period(options: AggregateOptions, days: CalendarDays): (hour: string) => boolean {
  const since = options.since === undefined ? null : parsePeriodEnd(options.since, "--since");
  const until = options.until === undefined ? null : parsePeriodEnd(options.until, "--until");
  return (hour) =>
    (since === null || startsAfter(hour, since, days)) && (until === null || startsBefore(hour, until, days));
}

function startsAfter(hour: string, since: PeriodEnd, days: CalendarDays): boolean {
  if ("day" in since) return days.dayOf(hour) >= since.day;
  return hourStart(hour).getTime() > since.at.getTime() - 3_600_000;
}

function startsBefore(hour: string, until: PeriodEnd, days: CalendarDays): boolean {
  if ("day" in until) return days.dayOf(hour) <= until.day;
  return hourStart(hour) < until.at;
}

function sorted(groups: UsageGroup[], by: readonly Dimension[]): UsageGroup[] {
  const names = (group: UsageGroup): string => Object.values(group.group).join("\u0000");
  const byName = (a: UsageGroup, b: UsageGroup): number => compareText(names(a), names(b));
  if (by.includes("day")) {
    return groups.sort((a, b) => compareText(a.group["day"] ?? "", b.group["day"] ?? "") || byName(a, b));
  }
  return groups.sort((a, b) => amountOf(b) - amountOf(a) || b.tokens.total - a.tokens.total || byName(a, b));
}

/** For sorting only: currencies are added as if they were one. */
function amountOf(group: UsageGroup): number {
  return group.cost.reduce((sum, money) => sum + money.amount, 0);
}

/** One sentence per matter, however many runs it concerns. */
function warningsOf(runs: readonly RunUsage[]): string[] {
  const unfinished = runs.filter((run) => !run.finished);
  const calls = (what: string, countOf: (usage: UsageReport) => number): string[] => {
    const concerned = runs.filter(({ usage }) => countOf(usage) > 0);
    const count = concerned.reduce((sum, { usage }) => sum + countOf(usage), 0);
    return count === 0 ? [] : [`${what}, not in the cost: ${count}, in ${someNames(concerned)}.`];
  };
  return [
    ...runs.flatMap((run) => run.warnings),
    ...(unfinished.length > 0 ? [`Not finished, figures so far: ${someNames(unfinished)}.`] : []),
    ...calls(
      "Calls that may have been billed with no answer recorded",
      ({ attempts }) => attempts.possiblyBilled,
    ),
    ...calls("Billed calls whose tokens the answers did not tell", ({ attempts }) => attempts.unknownUsage),
    ...calls(
      "At most so many further calls of workers that died while the queue lost data",
      ({ possiblyBilled }) => possiblyBilled.unknownStarts,
    ),
  ];
}

function someNames(runs: readonly RunUsage[]): string {
  const names = runs.slice(0, 3).map((run) => run.usage.runId);
  const more = runs.length - names.length;
  return more === 0 ? names.join(", ") : `${names.join(", ")} and ${more} more runs`;
}

function splitWarning(days: CalendarDays): string {
  return `Usage is kept by UTC hour: in ${days.timeZone}, the hour around midnight counts to the day in which it began.`;
}
