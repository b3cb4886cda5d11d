import type { UsageSummary } from "./aggregate.js";
import { columnDecimals, formatAmount, formatMoney, withThousands } from "./money.js";
import { formatTextTable, textTableWidth, type TextColumn } from "./text-table.js";
import type { UsageGroup } from "./usage-group.js";

/** Names are cut to this many characters before columns are left out. */
const SHORTEST_NAME = 22;

interface Figure {
  readonly column: TextColumn;
  readonly value: (group: UsageGroup) => string;
  /** Left out when nothing but zeros would stand there. */
  readonly optional?: boolean;
}

/**
 * The report as plain text, for a terminal `width` columns wide (default 80).
 *
 * When it does not fit, token counts are shortened (12.3M), then the least needed columns are left out,
 * then names are cut. Cost stands in one column per currency.
 */
export function formatReportTable(summary: UsageSummary, width = 80): string {
  if (summary.total.runs === 0) return "No usage in this period.\n";
  const names = summary.by.map((name): Figure => ({
    column: { title: name, shrinks: true },
    value: (group) => group.group[name] ?? "",
  }));
  const table = [fullFigures, shortFigures, fewFigures, fewestFigures]
    .map((figures) => layOut(summary, [...names, ...figures(summary)]))
    .reduce((chosen, next) => (fits(chosen, width) ? chosen : next));
  const text = formatTextTable(table.columns, table.lines, width);
  const causes = Object.entries(summary.total.failures).map(([kind, rows]) => `${kind} ${whole(rows)}`);
  const failures = causes.length > 0 ? [`Failures: ${causes.join(", ")}.`] : [];
  return [text, "", ...failures, ...notes(summary)].join("\n") + "\n";
}

/** What a reader must know beside the figures: unpriced models, possible charges, savings, warnings. */
export function notes(summary: UsageSummary): string[] {
  const { total } = summary;
  const list: string[] = [];
  const period = [summary.since && `since ${summary.since}`, summary.until && `until ${summary.until}`];
  const text = period.filter((part) => part !== null && part !== "").join(", ");
  list.push(
    `${total.runs} ${total.runs === 1 ? "run" : "runs"}${text ? `, ${text}` : ""}; days in ${summary.timeZone}.`,
  );
  for (const rate of summary.rates) list.push(`Converted at 1 ${rate.from} = ${rate.rate} ${rate.to}.`);
  if (total.reused.rows > 0) {
    const saved = total.reused.saved.map(formatMoney).join(" + ") || "an unpriced amount";
    list.push(
      `${withThousands(String(total.reused.rows))} rows were reused from earlier runs, which saved ${saved}.`,
    );
  }
  if (total.unpricedModels.length > 0) {
    list.push(`No price for all calls of ${total.unpricedModels.join(", ")}: their cost is not included.`);
  }
  if (total.approximateModels.length > 0) {
    list.push(`Priced as the base of their snapshot: ${total.approximateModels.join(", ")}.`);
  }
  if (summary.possiblyBilledAtMost.length > 0) {
    list.push(
      `Possibly billed besides: at most ${summary.possiblyBilledAtMost.map(formatMoney).join(" + ")}.`,
    );
  }
  return [...list, ...summary.warnings];
}

interface Layout {
  readonly columns: readonly TextColumn[];
  readonly lines: readonly (readonly string[])[];
}

/** Whether it fits when names are cut, but not to less than can be told apart. */
function fits({ columns, lines }: Layout, width: number): boolean {
  const cut = lines.map((line) =>
    line.map((cell, index) => (columns[index]?.shrinks ? cell.slice(0, SHORTEST_NAME) : cell)),
  );
  return textTableWidth(columns, cut) <= width;
}

function layOut(summary: UsageSummary, figures: readonly Figure[]): Layout {
  const kept = figures.filter((figure) => !figure.optional || !/^0?$/.test(figure.value(summary.total)));
  const lines = summary.groups.map((group) => kept.map((figure) => figure.value(group)));
  if (summary.groups.length !== 1 || summary.by.length === 0) {
    const total = kept.map((figure) => figure.value(summary.total));
    if (summary.by.length > 0) total[0] = "total";
    lines.push(total);
  }
  return { columns: kept.map((figure) => figure.column), lines };
}

const whole = (value: number): string => withThousands(String(value));

function number(title: string, value: (group: UsageGroup) => string, optional = false): Figure {
  return { column: { title, align: "right" }, value, optional };
}

function fullFigures(summary: UsageSummary): Figure[] {
  return [
    number("runs", (group) => whole(group.runs)),
    number("rows", (group) => whole(group.rows.total)),
    number("failed", (group) => whole(group.rows.failed)),
    number("reused", (group) => whole(group.reused.rows), true),
    number("attempts", (group) => whole(group.attempts.billed)),
    number("possibly billed", (group) => whole(group.attempts.possiblyBilled), true),
    number("input", (group) => whole(group.tokens.input)),
    number("cached", (group) => whole(group.tokens.cachedInput), true),
    number("output", (group) => whole(group.tokens.output)),
    number("reasoning", (group) => whole(group.tokens.reasoning), true),
    ...moneyFigures(summary),
  ];
}

function shortFigures(summary: UsageSummary): Figure[] {
  return [
    number("rows", (group) => whole(group.rows.total)),
    number("failed", (group) => whole(group.rows.failed)),
    number("attempts", (group) => shortCount(group.attempts.billed)),
    number("input", (group) => shortCount(group.tokens.input)),
    number("output", (group) => shortCount(group.tokens.output)),
    ...moneyFigures(summary),
  ];
}

function fewFigures(summary: UsageSummary): Figure[] {
  return [
    number("rows", (group) => shortCount(group.rows.total)),
    number("failed", (group) => shortCount(group.rows.failed)),
    number("input", (group) => shortCount(group.tokens.input)),
    number("output", (group) => shortCount(group.tokens.output)),
    ...moneyFigures(summary),
  ];
}

function fewestFigures(summary: UsageSummary): Figure[] {
  return [
    number("rows", (group) => shortCount(group.rows.total)),
    number("failed", (group) => shortCount(group.rows.failed)),
    number("tokens", (group) => shortCount(group.tokens.total)),
    ...moneyFigures(summary),
  ];
}

function moneyFigures(summary: UsageSummary): Figure[] {
  return summary.total.cost.flatMap(({ currency }) => {
    const column = (title: string, amounts: (group: UsageGroup) => UsageGroup["cost"]): Figure => {
      const decimals = columnDecimals(
        [summary.total, ...summary.groups].map((group) => amountOf(amounts(group), currency) ?? 0),
      );
      return number(title, (group) => amountText(group, amountOf(amounts(group), currency), decimals));
    };
    return [
      column(currency, (group) => group.cost),
      column(`${currency}/1,000 rows`, (group) => group.costPer1000Rows),
    ];
  });
}

/** null: no amount in that currency. */
export function amountOf(amounts: UsageGroup["cost"], currency: string): number | null {
  return amounts.find((money) => money.currency === currency)?.amount ?? null;
}

/** An amount in a table's cell; `≥` where calls without a price are not in it. */
export function amountText(group: UsageGroup, amount: number | null, decimals: number): string {
  const isPartly = group.unpricedModels.length > 0;
  if (amount === null) return isPartly ? "unpriced" : "-";
  return `${isPartly ? "≥ " : ""}${formatAmount(amount, decimals)}`;
}

/** Shortens a count to three significant digits: 999, 12.3K, 4.56M. */
export function shortCount(count: number): string {
  for (const [size, unit] of [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "K"],
  ] as const) {
    // From 999.5 of the smaller unit on, rounding would show four digits.
    if (count < size * 0.9995 || count < 1000) continue;
    const scaled = count / size;
    return `${scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0)}${unit}`;
  }
  return String(count);
}
