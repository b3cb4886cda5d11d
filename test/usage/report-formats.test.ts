import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { aggregate } from "../../src/usage/aggregate.js";
import { formatReportCsv } from "../../src/usage/report-csv.js";
import { formatReportJson } from "../../src/usage/report-json.js";
import { formatReportTable, shortCount } from "../../src/usage/report-table.js";
import { displayWidth, formatTextTable } from "../../src/usage/text-table.js";
import { usageOf } from "./results.js";
import { runOf } from "./runs.js";

const runs = [
  runOf({
    runId: "a",
    job: "nightly-translation-of-the-whole-catalogue",
    rows: [{ usage: usageOf(1_234_567, 890_123) }, { kind: "timeout", usage: null }],
  }),
  runOf({ runId: "b", job: "=cmd|' /C calc'!A0", place: { region: "beijing" }, rows: [{}] }),
  runOf({ runId: "c", job: "local", rows: [{ model: "llama" }] }),
];
const summary = aggregate(runs, { by: ["job"] });

describe("the report as a table", () => {
  it("fits 80 columns, with numbers aligned to the right", () => {
    const text = formatReportTable(aggregate(runs.slice(0, 1), { by: ["job"] }));
    const [header = "", rule = "", row = ""] = text.split("\n");
    expect(Math.max(...[header, rule, row].map(displayWidth))).toBeLessThanOrEqual(80);
    expect(row).toMatch(/nightly-translation.*… +2 +1 +/);
    // 1,234,567 x 1.20 + 890,123 x 3.60 per million, for 2 rows
    expect(row).toMatch(/4\.69 +2342\.96$|4\.69 +2,342\.96$/);
    expect(header.length).toBe(row.length);
  });

  it("shows every figure in full when there is room", () => {
    const text = formatReportTable(summary, 200);
    expect(text).toContain("1,234,567");
    expect(text).toMatch(/local .* unpriced/);
    expect(text).toMatch(/total .* ≥ /);
    expect(text).toContain("No price for all calls of llama: their cost is not included.");
    expect(text).toContain("Failures: timeout 1.");
  });

  it("says when there is nothing", () => {
    expect(formatReportTable(aggregate([]))).toBe("No usage in this period.\n");
  });

  it("cuts wide characters by what they take on the screen, and lets no control character through", () => {
    const text = formatTextTable(
      [
        { title: "job", shrinks: true },
        { title: "n", align: "right" },
      ],
      [
        ["商品目录夜间翻译任务", "1"],
        ["\u001b[31mred", "22"],
      ],
      14,
    );
    expect(text.split("\n").map(displayWidth)).toEqual([14, 14, 14, 14]);
    expect(text).toContain("商品目录");
    expect(text).not.toContain("\u001b");
  });

  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1.00K"],
    [12_345, "12.3K"],
    [999_499, "999K"],
    [999_999, "1.00M"],
    [4_560_000_000, "4.56B"],
  ])("shortens %d to %s", (count, text) => {
    expect(shortCount(count)).toBe(text);
  });
});

describe("the report as CSV", () => {
  it("has one line per group and a column per currency", () => {
    const lines = parse<Record<string, string>>(formatReportCsv(summary), { columns: true });
    expect(lines).toHaveLength(3);
    expect(lines.find((line) => line["job"]?.startsWith("nightly"))).toMatchObject({
      rows: "2",
      failed: "1",
      input_tokens: "1234567",
      cost_usd: "4.6859232",
      cost_cny: "",
      failures: "timeout=1",
    });
    expect(lines.find((line) => line["job"] === "local")).toMatchObject({
      cost_usd: "",
      unpriced_models: "llama",
    });
  });

  it("lets no name become a formula", () => {
    expect(formatReportCsv(summary)).toContain(`'=cmd|`);
  });
});

it("is the summary itself as JSON", () => {
  expect(JSON.parse(formatReportJson(summary))).toEqual(summary);
});
