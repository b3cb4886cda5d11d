import type { UsageSummary } from "./aggregate.js";
import { markup, type Markup } from "./markup.js";
import { columnDecimals, withThousands } from "./money.js";
import { amountOf, amountText } from "./report-table.js";
import type { UsageGroup } from "./usage-group.js";

/** The report's groups as an HTML table with the total at its foot. */
export function groupTable(summary: UsageSummary): Markup {
  const everything = [summary.total, ...summary.groups];
  const columns = [
    ...COUNTS.filter(({ optional, count }) => !optional || count(summary.total) > 0).map(
      ({ title, count }) => ({
        title,
        text: (group: UsageGroup) => withThousands(String(count(group))),
      }),
    ),
    ...summary.total.cost.flatMap(({ currency }) =>
      (["cost", "costPer1000Rows"] as const).map((key) => {
        const decimals = columnDecimals(everything.map((group) => amountOf(group[key], currency) ?? 0));
        return {
          title: key === "cost" ? `Cost, ${currency}` : `${currency} per 1,000 rows`,
          text: (group: UsageGroup) => amountText(group, amountOf(group[key], currency), decimals),
        };
      }),
    ),
  ];
  const cells = (group: UsageGroup): Markup[] => columns.map((column) => numberCell(column.text(group)));
  const headings = summary.by.map((name) => markup`<th scope="col">${capitalized(name)}</th>`);
  const rows = summary.groups.map((group) => {
    const names = Object.values(group.group).map((value) => markup`<th scope="row">${value}</th>`);
    return markup`<tr>${names}${cells(group)}</tr>\n`;
  });
  return markup`<div class="scroll"><table class="wide">
<thead><tr>${headings}${columns.map(({ title }) => markup`<th scope="col" class="number">${title}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
<tfoot><tr><th scope="row" colspan="${summary.by.length}">Total</th>${cells(summary.total)}</tr></tfoot>
</table></div>`;
}

interface CountColumn {
  readonly title: string;
  readonly count: (group: UsageGroup) => number;
  /** Left out when the total is zero. */
  readonly optional?: boolean;
}

const COUNTS: readonly CountColumn[] = [
  { title: "Rows", count: ({ rows }) => rows.total },
  { title: "Failed", count: ({ rows }) => rows.failed },
  { title: "Reused", count: ({ reused }) => reused.rows, optional: true },
  { title: "Calls", count: ({ attempts }) => attempts.billed },
  { title: "Input", count: ({ tokens }) => tokens.input },
  { title: "Cached", count: ({ tokens }) => tokens.cachedInput, optional: true },
  { title: "Output", count: ({ tokens }) => tokens.output },
  { title: "Reasoning", count: ({ tokens }) => tokens.reasoning, optional: true },
];

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

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
