import { customIdOf, PROMPT_ROW_IDS } from "../input/index.js";
import type { InputRow } from "../input/row.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { Result, RowError } from "../types.js";

/** The result of a row that could not become a request: nothing was called for it. */
export function rejectedResult(row: InputRow, error: RowError, job: ResolvedJob): Result {
  return {
    rowIndex: row.rowIndex,
    customId: customIdOf(row, job.input.id ?? (job.prompt === null ? PROMPT_ROW_IDS : null)),
    model: job.model,
    preset: job.preset,
    attempts: 0,
    requestId: null,
    usage: null,
    latencyMs: 0,
    finishedAt: new Date().toISOString(),
    status: "failed",
    error,
  };
}
