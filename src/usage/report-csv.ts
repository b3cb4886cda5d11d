import { csvRecord } from "../writer/csv-record.js";
import { formulaSafe } from "../writer/formula-safe.js";
import type { UsageSummary } from "./aggregate.js";
import type { UsageGroup } from "./usage-group.js";

/**
 * The report as CSV: one line per group, no total, plain numbers. Cost, cost per 1,000 rows and savings
 * stand in a column per currency (`cost_usd`); an empty cost means that no price is known. A name that a
 * spreadsheet would take for a formula is preceded by an apostrophe.
 */
export function formatReportCsv(summary: UsageSummary): string {
  const currencies = summary.total.cost.map((money) => money.currency);
  const groups = summary.by.length === 0 ? [summary.total] : summary.groups;
  const header = [
    ...summary.by.map((name) => name.replace(":", "_")),
    "runs",
    "rows",
    "succeeded",
    "failed",
    "reused_rows",
    "attempts_billed",
    "attempts_possibly_billed",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    ...currencies.flatMap((currency) => moneyNames(currency)),
    "unpriced_models",
    "failures",
  ];
  return [header, ...groups.map((group) => line(group, currencies))].map(csvRecord).join("");
}

function line(group: UsageGroup, currencies: readonly string[]): (string | number)[] {
  const { rows, attempts, tokens } = group;
  return [
    ...Object.values(group.group).map(formulaSafe),
    group.runs,
    rows.total,
    rows.succeeded,
    rows.failed,
    group.reused.rows,
    attempts.billed,
    attempts.possiblyBilled,
    tokens.input,
    tokens.cachedInput,
    tokens.output,
    tokens.reasoning,
    tokens.total,
    ...currencies.flatMap((currency) =>
      [group.cost, group.costPer1000Rows, group.reused.saved].map((amounts) => amountIn(amounts, currency)),
    ),
    formulaSafe(group.unpricedModels.join(" ")),
    Object.entries(group.failures)
      .map(([kind, count]) => `${kind}=${count}`)
      .join(" "),
  ];
}

function moneyNames(currency: string): string[] {
  const unit = currency.toLowerCase();
  return [`cost_${unit}`, `cost_per_1000_rows_${unit}`, `saved_${unit}`];
}

function amountIn(amounts: UsageGroup["cost"], currency: string): string | number {
  const money = amounts.find((candidate) => candidate.currency === currency);
  return money ? Number(money.amount.toFixed(9)) : "";
}
