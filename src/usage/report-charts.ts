import type { UsageSummary } from "./aggregate.js";
import { daysBetween } from "./calendar-day.js";
import { bar, columnChart, legend, sumOf, type ChartSeries } from "./charts.js";
import { markup, type Markup } from "./markup.js";
import { columnDecimals, formatAmount, formatMoney, withThousands } from "./money.js";
import { figuresTable, numberCell } from "./report-html-table.js";
import { amountOf, shortCount } from "./report-table.js";
import type { UsageGroup } from "./usage-group.js";

/** Models that get a colour of their own; the rest share the last one. */
const COLOURED_MODELS = 7;
/** Above this many days, columns stand for months. */
const MOST_DAY_COLUMNS = 120;
const MOST_JOBS = 10;

/** Cost per day stacked by model, a chart for each currency. `byDay` is by day and model. */
export function costCharts(byDay: UsageSummary, byModel: UsageSummary): Markup {
  const columns = timeColumns(byDay);
  const ranked = byModel.groups.map((group) => group.group["model"] ?? "");
  const charts = byDay.total.cost.map(({ currency }) => {
    const series = seriesByModel(byDay, ranked, columns, currency);
    const format = (value: number): string => formatMoney({ amount: value, currency });
    const title = `Cost per ${columns.unit} by model, ${currency}`;
    const id = `cost-${currency.toLowerCase()}`;
    return series.length === 0
      ? markup``
      : chartSection({ id, title, columns, series, format, tick: axisAmount });
  });
  return markup`${charts}`;
}

/** Tokens per day by kind. */
export function tokenChart(byDay: UsageSummary): Markup {
  const columns = timeColumns(byDay);
  const kinds: [name: string, colour: number, count: (tokens: UsageGroup["tokens"]) => number][] = [
    ["input, not cached", 0, (tokens) => tokens.input - tokens.cachedInput],
    ["input, cached", 2, (tokens) => tokens.cachedInput],
    ["output, answer", 1, (tokens) => tokens.output - tokens.reasoning],
    ["output, reasoning", 4, (tokens) => tokens.reasoning],
  ];
  const series = kinds
    .map(([name, colour, count]) => ({
      name,
      colour,
      values: columns.sum(byDay, (group) => Math.max(0, count(group.tokens))),
    }))
    .filter((one) => sumOf(one.values) > 0);
  if (series.length === 0) return markup``;
  const format = (value: number): string => withThousands(String(value));
  const title = `Tokens per ${columns.unit} by kind`;
  return chartSection({ id: "tokens", title, columns, series, format, tick: axisCount });
}

/** The most expensive jobs as bars, per currency. */
export function jobBars(byJob: UsageSummary): Markup {
  const sections = byJob.total.cost.flatMap(({ currency }) => {
    const jobs = byJob.groups
      .map((group) => ({ group, amount: amountIn(group.cost, currency) }))
      .filter(({ amount }) => amount > 0)
      .sort((a, b) => b.amount - a.amount);
    if (jobs.length === 0) return [];
    const most = jobs[0]?.amount ?? 1;
    const decimals = columnDecimals(jobs.slice(0, MOST_JOBS).map(({ amount }) => amount));
    const rates = jobs.slice(0, MOST_JOBS).map(({ group }) => amountIn(group.costPer1000Rows, currency));
    const rows = jobs
      .slice(0, MOST_JOBS)
      .map(
        ({ group, amount }) =>
          markup`<tr><th scope="row">${group.group["job"] ?? ""}</th><td class="bar-cell">${bar(amount / most, 0)}</td>${numberCell(formatAmount(amount, decimals))}${numberCell(withThousands(String(group.rows.total)))}${numberCell(formatAmount(amountIn(group.costPer1000Rows, currency), columnDecimals(rates)))}</tr>`,
      );
    const rest = jobs.slice(MOST_JOBS);
    const left = rest.reduce((sum, { amount }) => sum + amount, 0);
    return [
      markup`<section><h2>Most expensive jobs, ${currency}</h2><div class="scroll"><table>
<thead><tr><th scope="col">Job</th><th class="bar-cell"></th><th scope="col" class="number">Cost</th><th scope="col" class="number">Rows</th><th scope="col" class="number">per 1,000 rows</th></tr></thead>
<tbody>${rows}</tbody></table></div>${rest.length === 0 ? null : markup`<p class="quiet">and ${rest.length} more for ${formatMoney({ amount: left, currency })}</p>`}</section>`,
    ];
  });
  return markup`${sections}`;
}

/** Failed rows by cause as bars. */
export function failureBars(summary: UsageSummary): Markup {
  const causes = Object.entries(summary.total.failures);
  const failed = summary.total.rows.failed;
  if (failed === 0)
    return markup`<section><h2>Failures by cause</h2><p class="quiet">No row failed.</p></section>`;
  const most = causes[0]?.[1] ?? 1;
  const rows = causes.map(
    ([kind, count]) =>
      markup`<tr><th scope="row">${causeText(kind)}</th><td class="bar-cell">${bar(count / most, 6)}</td>${numberCell(withThousands(String(count)))}${numberCell(`${((count / failed) * 100).toFixed(0)}%`)}</tr>`,
  );
  return markup`<section><h2>Failures by cause</h2><div class="scroll"><table>
<thead><tr><th scope="col">Cause</th><th class="bar-cell"></th><th scope="col" class="number">Rows</th><th scope="col" class="number">Share</th></tr></thead>
<tbody>${rows}</tbody></table></div></section>`;
}

interface SectionInput {
  readonly id: string;
  readonly title: string;
  readonly columns: TimeColumns;
  readonly series: readonly ChartSeries[];
  readonly format: (value: number) => string;
  readonly tick: (value: number) => string;
}

function chartSection({ id, title, columns, series, format, tick }: SectionInput): Markup {
  const sums = columns.names.map((_, index) => sumOf(series.map((one) => one.values[index] ?? 0)));
  const peak = sums.indexOf(Math.max(...sums));
  const total = format(sumOf(sums));
  const description = `${total} in all; the highest ${columns.unit} is ${columns.names[peak] ?? ""} with ${format(sums[peak] ?? 0)}.`;
  const table = columns.names.map((name, index) => [
    name,
    ...series.map((one) => format(one.values[index] ?? 0)),
    format(sums[index] ?? 0),
  ]);
  return markup`<section><h2>${title}</h2>
${columnChart({ id, title, description, categories: columns.names, categoryLabel: columns.label, series, format, tick })}
${legend(series, format)}
${figuresTable(title, [columns.unit, ...series.map((one) => one.name), "total"], table)}</section>`;
}

interface TimeColumns {
  readonly unit: "day" | "month";
  readonly names: readonly string[];
  readonly label: (name: string) => string;
  /** One sum per column. */
  readonly sum: (byDay: UsageSummary, value: (group: UsageGroup) => number) => number[];
}

function timeColumns(byDay: UsageSummary): TimeColumns {
  const days = byDay.groups.map((group) => group.group["day"] ?? "");
  const first = days[0] ?? "";
  const last = days.at(-1) ?? "";
  const all = daysBetween(first, last, MOST_DAY_COLUMNS + 1);
  const isByMonth = all.length > MOST_DAY_COLUMNS;
  const nameOf = (day: string): string => (isByMonth ? day.slice(0, 7) : day);
  const names = isByMonth ? [...new Set(days.map(nameOf))] : all;
  return {
    unit: isByMonth ? "month" : "day",
    names,
    label: (name) => (isByMonth ? name : shortDay(name)),
    sum: (summary, value) => {
      const sums = new Map(names.map((name) => [name, 0]));
      for (const group of summary.groups) {
        const name = nameOf(group.group["day"] ?? "");
        sums.set(name, (sums.get(name) ?? 0) + value(group));
      }
      return [...sums.values()];
    },
  };
}

function seriesByModel(
  byDay: UsageSummary,
  ranked: readonly string[],
  columns: TimeColumns,
  currency: string,
): ChartSeries[] {
  const isColoured = ranked.length <= COLOURED_MODELS + 1;
  const own = isColoured ? ranked : ranked.slice(0, COLOURED_MODELS);
  const valuesOf = (matches: (model: string) => boolean): number[] =>
    columns.sum(byDay, (group) => (matches(group.group["model"] ?? "") ? amountIn(group.cost, currency) : 0));
  const series = own.map((name, colour) => ({ name, colour, values: valuesOf((model) => model === name) }));
  if (!isColoured) {
    const values = valuesOf((model) => !own.includes(model));
    series.push({ name: `${ranked.length - own.length} other models`, colour: COLOURED_MODELS, values });
  }
  return series.filter((one) => sumOf(one.values) > 0);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function shortDay(day: string): string {
  return `${MONTHS[Number(day.slice(5, 7)) - 1] ?? ""} ${Number(day.slice(8, 10))}`;
}

function axisAmount(value: number): string {
  return value >= 10_000 ? axisCount(value) : withThousands(String(value));
}

function axisCount(value: number): string {
  return shortCount(value)
    .replace(/(?<=\.\d*?)0+(?=[KMBT]$)/, "")
    .replace(/\.(?=[KMBT]$)/, "");
}

function causeText(kind: string): string {
  const text = kind.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function amountIn(amounts: UsageGroup["cost"], currency: string): number {
  return amountOf(amounts, currency) ?? 0;
}
