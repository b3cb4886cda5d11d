import type { UsageSummary } from "./aggregate.js";
import { markup, type Markup } from "./markup.js";
import { formatAmount, withThousands } from "./money.js";
import type { UsageGroup } from "./usage-group.js";

/** The report's groups as an HTML table with the total at its foot. */
export function groupTable(summary: UsageSummary): Markup {
  const currencies = summary.total.cost.map((money) => money.currency);
  const titles = ["Rows", "Failed", "Calls", "Input", "Cached", "Output", "Reasoning"];
  const moneyTitles = currencies.flatMap((currency) => [`Cost, ${currency}`, "per 1,000 rows"]);
  const cells = (group: UsageGroup): Markup[] => [
    ...counts(group).map((count) => numberCell(withThousands(String(count)))),
    ...currencies.flatMap((currency) => [
      numberCell(amountIn(group, group.cost, currency)),
      numberCell(amountIn(group, group.costPer1000Rows, currency)),
    ]),
  ];
  return markup`<div class="scroll"><table>
<thead><tr>${summary.by.map((name) => markup`<th scope="col">${name}</th>`)}${[...titles, ...moneyTitles].map((title) => markup`<th scope="col" class="number">${title}</th>`)}</tr></thead>
<tbody>${summary.groups.map((group) => markup`<tr>${Object.values(group.group).map((value) => markup`<th scope="row">${value}</th>`)}${cells(group)}</tr>\n`)}</tbody>
<tfoot><tr><th scope="row" colspan="${summary.by.length}">Total</th>${cells(summary.total)}</tr></tfoot>
</table></div>`;
}

/** A chart's figures as a table, folded away: for those who cannot see the chart, or want to copy it. */
export function figuresTable(
  caption: string,
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): Markup {
  const [first = "", ...others] = titles;
  return markup`<details><summary>Figures</summary><div class="scroll"><table><caption>${caption}</caption>
<thead><tr><th scope="col">${first}</th>${others.map((title) => markup`<th scope="col" class="number">${title}</th>`)}</tr></thead>
<tbody>${rows.map(([name = "", ...values]) => markup`<tr><th scope="row">${name}</th>${values.map(numberCell)}</tr>\n`)}</tbody></table></div></details>`;
}

export function numberCell(text: string): Markup {
  return markup`<td class="number">${text}</td>`;
}

function counts({ rows, attempts, tokens }: UsageGroup): number[] {
  return [
    rows.total,
    rows.failed,
    attempts.billed,
    tokens.input,
    tokens.cachedInput,
    tokens.output,
    tokens.reasoning,
  ];
}

function amountIn(group: UsageGroup, amounts: UsageGroup["cost"], currency: string): string {
  const money = amounts.find((candidate) => candidate.currency === currency);
  if (!money) return group.unpricedModels.length > 0 ? "unpriced" : "–";
  return `${group.unpricedModels.length > 0 ? "≥ " : ""}${formatAmount(money.amount)}`;
}
