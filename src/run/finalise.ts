import { rm } from "node:fs/promises";
import type { UsageReport } from "../usage/index.js";
import { writeFileAtomically } from "../writer/atomic-file.js";
import type { JournalIndex } from "../writer/journal-index.js";
import { writeResultFiles } from "../writer/results.js";
import { answerColumns } from "./answer-columns.js";
import type { RunRecord } from "./record.js";
import type { RowSource } from "./row-source.js";

/** Where a run's derived files are. */
export interface ResultFiles {
  readonly results: string;
  /** null: no row failed. */
  readonly errors: string | null;
  readonly usage: string;
}

/** Derives results and errors from input and journal. No call is made. */
export async function writeResults(
  record: RunRecord,
  index: JournalIndex,
  source: RowSource,
  file: (name: string) => string,
): Promise<{ files: Pick<ResultFiles, "results" | "errors">; truncated: number }> {
  const { job, input } = record;
  const results = file(`results.${job.output.format}`);
  const errors = file("errors.jsonl");
  const { failed, truncated } = await writeResultFiles({
    journalPath: file("journal.jsonl"),
    index,
    batches: source(),
    endRow: record.rows,
    columns: input.columns,
    answers: answerColumns(job),
    output: job.output,
    resultsPath: results,
    errorsPath: errors,
  });
  if (failed === 0) await rm(errors, { force: true });
  return { files: { results, errors: failed === 0 ? null : errors }, truncated };
}

export async function writeUsage(path: string, usage: UsageReport): Promise<void> {
  await writeFileAtomically(path, (append) => append(`${JSON.stringify(usage, null, 2)}\n`));
}
