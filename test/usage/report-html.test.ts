import { describe, expect, it } from "vitest";
import { axisTicks } from "../../src/usage/charts.js";
import { formatReportHtml } from "../../src/usage/report-html.js";
import { runOf, type RunInput } from "./runs.js";

const generatedAt = new Date("2026-11-30T12:00:00.000Z");
const page = (runs: RunInput[], options: Partial<Parameters<typeof formatReportHtml>[1]> = {}): string =>
  formatReportHtml(runs.map(runOf), { generatedAt, ...options });

const month = Array.from({ length: 30 }, (_, index) => ({
  runId: `r${index}`,
  job: `job-${index % 12}`,
  rows: Array.from({ length: 9 }, (_, model) => ({
    model: model < 3 ? (["qwen-plus", "qwen-max", "qwen-flash"][model] ?? "") : `qwen-plus-2025-0${model}-01`,
    finishedAt: `2026-11-${String(index + 1).padStart(2, "0")}T05:00:00.000Z`,
    ...(model === 8 ? { kind: "content_filter" as const } : {}),
  })),
}));

describe("the HTML page", () => {
  it("needs nothing from anywhere: no script, no link, no foreign address", () => {
    const html = page(month);
    expect(html).not.toMatch(/<(script|link|iframe|img|object)\b|@import|url\(|https?:/i);
    expect(html).toContain("Content-Security-Policy");
  });

  it("shows cost and tokens per day, jobs, failures and the table, each chart with title and figures", () => {
    const html = page(month, { by: ["job", "model"] });
    for (const title of [
      "Cost per day by model, USD",
      "Tokens per day by kind",
      "Most expensive jobs, USD",
      "Failures by cause",
      "By job, model",
    ]) {
      expect(html).toContain(`<h2>${title}</h2>`);
    }
    expect(html.match(/<svg class="chart"[^>]* role="img" aria-labelledby/g)).toHaveLength(2);
    expect(html.match(/<summary>Figures<\/summary>/g)).toHaveLength(2);
    expect(html).toContain("2 other models");
    expect(html).toContain("and 2 more for");
    expect(html).toContain("Content filter");
    expect(html).toContain("prefers-color-scheme:dark");
  });

  it("fills days without usage, and turns to months for long periods", () => {
    const on = (day: string) => ({ runId: day, rows: [{ finishedAt: `${day}T05:00:00.000Z` }] });
    expect(page([on("2026-11-01"), on("2026-11-04")])).toContain(
      '<th scope="row">2026-11-03</th><td class="number">0.00 USD</td>',
    );
    const long = page([on("2026-01-15"), on("2026-11-04")]);
    expect(long).toContain("Cost per month by model");
    expect(long).toContain('<th scope="row">2026-01</th>');
  });

  it("keeps a chart per currency", () => {
    const html = page([{ runId: "a" }, { runId: "b", place: { region: "beijing" } }]);
    expect(html).toContain("Cost per day by model, CNY");
    expect(html).toContain("Cost per day by model, USD");
  });

  it("escapes every name that came from outside", () => {
    const evil = `<script>alert(1)</script>"'&`;
    const html = page(
      [
        {
          runId: evil,
          job: evil,
          tags: { team: evil },
          finishedAt: null,
          place: { provider: evil },
          rows: [{ model: evil, kind: "server" }, { possiblyBilled: 1 }],
        },
      ],
      { by: ["job", "model", "provider", "tag:team"], title: evil, notes: [evil] },
    );
    expect(html).not.toContain("<script");
    expect(html).not.toContain(`"'&`);
    expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;");
  });

  it("says so when there is no usage, and when no price is known", () => {
    expect(page([])).toContain("No settled rows were found");
    const unpriced = page([{ rows: [{ model: "llama" }] }]);
    expect(unpriced).toContain("not known");
    expect(unpriced).toContain("No price for all calls of llama");
    expect(unpriced).not.toContain("Cost per day");
  });
});

it("has axes with round steps that reach the highest column", () => {
  expect(axisTicks(8)).toEqual([0, 2, 4, 6, 8]);
  expect(axisTicks(0.0692)).toEqual([0, 0.02, 0.04, 0.06, 0.08]);
  expect(axisTicks(0)).toEqual([0, 1]);
  for (const most of [1e-7, 0.3, 1, 1.01, 99, 12_345_678]) {
    const ticks = axisTicks(most);
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(most);
    expect(ticks.length).toBeLessThanOrEqual(6);
  }
});
