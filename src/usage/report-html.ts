import { aggregate, type AggregateOptions, type UsageSummary } from "./aggregate.js";
import type { RunUsage } from "./run-usage.js";
import { markup, type Markup } from "./markup.js";
import { formatMoney, withThousands } from "./money.js";
import { costCharts, failureBars, jobBars, tokenChart } from "./report-charts.js";
import { groupTable } from "./report-html-table.js";
import { reportStyle } from "./report-style.js";
import { notes, shortCount } from "./report-table.js";

export interface HtmlReportOptions extends AggregateOptions {
  /** Written at the foot of the page. */
  readonly generatedAt: Date;
  /** Default "Usage report". */
  readonly title?: string;
  /** Further sentences for the notes, the age of the prices for instance. */
  readonly notes?: readonly string[];
}

/**
 * The report as one HTML page that needs nothing else: no network, no script, light and dark, printable.
 *
 * Charts: cost per day stacked by model (one per currency), tokens per day by kind, the most expensive
 * jobs, failures by cause; then the table by `by` (default: by job). Every name in it is escaped.
 */
export function formatReportHtml(runs: readonly RunUsage[], options: HtmlReportOptions): string {
  const { generatedAt, title = "Usage report", notes: further = [], ...selection } = options;
  const by = selection.by && selection.by.length > 0 ? selection.by : (["job"] as const);
  const summary = aggregate(runs, { ...selection, by });
  const isEmpty = summary.total.runs === 0;
  const warnings = [...(isEmpty ? [] : notes(summary).slice(1)), ...further];
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${reportStyle}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="quiet">${periodText(runs, summary)}</p>
${isEmpty ? emptyPage() : page(runs, summary, selection)}
${warnings.length === 0 ? null : warningList(warnings)}
<footer>Made by promptmill on ${generatedAt.toISOString().slice(0, 16).replace("T", " ")} UTC. Costs are list prices applied to the tokens that the provider reported; the provider's bill is what counts.</footer>
</main>
</body>
</html>
`.text;
}

function page(runs: readonly RunUsage[], summary: UsageSummary, selection: AggregateOptions): Markup {
  const byDay = aggregate(runs, { ...selection, by: ["day", "model"] });
  const byModel = aggregate(runs, { ...selection, by: ["model"] });
  const byJob = aggregate(runs, { ...selection, by: ["job"] });
  return markup`${cards(summary)}
${costCharts(byDay, byModel)}
${tokenChart(byDay)}
${jobBars(byJob)}
${failureBars(summary)}
<section class="long"><h2>By ${summary.by.join(", ")}</h2>${groupTable(summary)}</section>`;
}

function cards(summary: UsageSummary): Markup {
  const { total } = summary;
  const cost = total.cost.map(formatMoney);
  const per1000 = total.costPer1000Rows.map(formatMoney).join(" + ");
  const isPartly = total.unpricedModels.length > 0;
  const failedShare = total.rows.total === 0 ? 0 : total.rows.failed / total.rows.total;
  return markup`<dl class="cards">
${card(isPartly && cost.length > 0 ? "Cost, without unpriced models" : "Cost", cost.length > 0 ? cost : ["not known"], per1000 ? `${per1000} per 1,000 rows` : "no price for these models")}
${card("Rows", [withThousands(String(total.rows.total))], `in ${plural(total.runs, "run")}`)}
${card("Failed", [withThousands(String(total.rows.failed))], `${percent(failedShare)} of rows`)}
${card("Tokens", [shortCount(total.tokens.total)], plural(total.attempts.billed, "billed call"))}
${
  total.reused.rows === 0
    ? null
    : card(
        "Saved by reuse",
        total.reused.saved.length > 0 ? total.reused.saved.map(formatMoney) : ["not known"],
        `${plural(total.reused.rows, "row")} not called again`,
      )
}
</dl>`;
}

function card(title: string, figures: readonly string[], more: string): Markup {
  return markup`<div class="card"><dt>${title}</dt>${figures.map((figure) => markup`<dd class="figure">${figure}</dd>`)}<dd class="quiet">${more}</dd></div>`;
}

function warningList(warnings: readonly string[]): Markup {
  return markup`<section class="notes"><h2>Notes</h2><ul>${warnings.map((text) => markup`<li>${text}</li>`)}</ul></section>`;
}

function emptyPage(): Markup {
  return markup`<section><h2>No usage</h2><p>No settled rows were found in this period. Look at another one with <code>--since</code> and <code>--until</code>, or list what there is with <code>promptmill status</code>.</p></section>`;
}

function periodText(runs: readonly RunUsage[], summary: UsageSummary): string {
  const days = aggregate(runs, { ...selectionOf(summary), by: ["day"] }).groups.map(
    (group) => group.group["day"],
  );
  const first = days[0];
  const last = days.at(-1);
  if (first === undefined) {
    const ends = [summary.since && `since ${summary.since}`, summary.until && `until ${summary.until}`];
    return ends.filter((end) => end !== null && end !== "").join(", ");
  }
  return `${first === last ? first : `${first} to ${last}`}, days in ${summary.timeZone}`;
}

function selectionOf(summary: UsageSummary): AggregateOptions {
  return {
    timeZone: summary.timeZone,
    ...(summary.since === null ? {} : { since: summary.since }),
    ...(summary.until === null ? {} : { until: summary.until }),
  };
}

function plural(count: number, noun: string): string {
  return `${withThousands(String(count))} ${noun}${count === 1 ? "" : "s"}`;
}

function percent(share: number): string {
  if (share > 0 && share < 0.001) return "< 0.1%";
  return `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)}%`;
}
