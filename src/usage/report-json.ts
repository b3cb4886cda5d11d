import type { UsageSummary } from "./aggregate.js";

/**
 * The report as JSON: a `UsageSummary` as it is, indented, with a line end. Money is exact to 15 digits;
 * counts are integers. The shape changes only together with `schemaVersion`.
 */
export function formatReportJson(summary: UsageSummary): string {
  return `${JSON.stringify(summary, null, 2)}\n`;
}
