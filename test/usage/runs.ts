import type { RunUsage } from "../../src/usage/run-usage.js";
import { buildUsageReport, type UsageReportMeta } from "../../src/usage/usage-report.js";
import { UsageTotals, type UsageTotalsOptions } from "../../src/usage/usage-totals.js";
import { countRow, type ResultInput } from "./results.js";

export interface RunInput extends Partial<UsageReportMeta> {
  place?: UsageTotalsOptions;
  /** One row each; `rowIndex` is filled in. */
  rows?: readonly ResultInput[];
}

/** A run of `translate` in Singapore with the given rows. */
export function runOf({ place, rows = [{}], ...meta }: RunInput = {}): RunUsage {
  const totals = new UsageTotals(place ?? { region: "singapore", provider: "model-studio" });
  for (const [rowIndex, row] of rows.entries()) countRow(totals, { rowIndex, ...row });
  const usage = buildUsageReport(totals, {
    runId: "translate-1",
    job: "translate",
    tags: {},
    startedAt: "2026-11-22T05:00:00.000Z",
    finishedAt: "2026-11-22T06:00:00.000Z",
    ...meta,
  });
  return {
    directory: `runs/${usage.runId}`,
    source: "usage.json",
    simulated: false,
    finished: usage.finishedAt !== null,
    usage,
    warnings: [],
  };
}
