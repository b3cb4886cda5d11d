import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { RowTable } from "../protocol/row-table.js";
import type { UsageReport } from "../usage/index.js";
import { writeFileAtomically } from "../writer/atomic-file.js";
import { writeResultFiles } from "../writer/results.js";
import { answerColumns } from "./answer-columns.js";
import type { RowGate } from "./early-results.js";
import type { RunRecord } from "./record.js";
import type { RowSource } from "./row-source.js";

/** Where a run's derived files are. */
export interface ResultFiles {
  readonly results: string;
  /** null: no row failed. */
  readonly errors: string | null;
  readonly usage: string;
}

export interface DerivedFiles {
  readonly files: Pick<ResultFiles, "results" | "errors">;
  /** Answers that ended at their token limit. */
  readonly truncated: number;
  /** For the user: what may look wrong in the program that the files are for. */
  readonly warnings: readonly string[];
}

/** Of results and errors. */
export function resultFileNames({ output }: Pick<ResolvedJob, "output">): readonly [string, string] {
  return [`results.${output.format}`, "errors.jsonl"];
}

export interface WriteResultsOptions {
  readonly record: RunRecord;
  /** Folder of the run. */
  readonly directory: string;
  /** Where the files go. @default the folder of the run */
  readonly target?: string;
  readonly rows: RowTable;
  readonly source: RowSource;
  /** Rows are still being called: says when they may be written. */
  readonly gate?: RowGate | null;
}

/** Derives results and errors from input and journal. No call is made. */
export async function writeResults(options: WriteResultsOptions): Promise<DerivedFiles> {
  const { record, directory, target = directory, rows, source, gate = null } = options;
  const { job, input } = record;
  const [results, errors] = resultFileNames(job).map((name) => join(target, name)) as [string, string];
  const { failed, truncated, overlong } = await writeResultFiles({
    directory,
    index: rows,
    batches: source(),
    endRow: record.rows,
    columns: input.columns,
    answers: answerColumns(job),
    output: job.output,
    delimiter: resultDelimiter(record),
    resultsPath: results,
    errorsPath: errors,
    ...(gate === null ? {} : { gate }),
  });
  if (failed === 0) await rm(errors, { force: true });
  return {
    files: { results, errors: failed === 0 ? null : errors },
    truncated,
    warnings: excelWarnings(overlong),
  };
}

/** Excel opens a CSV with the delimiter of its region, which is the input's when that came out of Excel. */
function resultDelimiter({ job: { output }, input }: RunRecord): string {
  return output.delimiter ?? (output.excel && input.delimiter === ";" ? ";" : ",");
}

function excelWarnings(overlong: number): string[] {
  if (overlong === 0) return [];
  const cells = overlong === 1 ? "1 cell has" : `${overlong} cells have`;
  return [`${cells} more than the 32,767 characters that Excel keeps of one; the file holds them whole`];
}

export async function writeUsage(path: string, usage: UsageReport): Promise<void> {
  await writeFileAtomically(path, (append) => append(`${JSON.stringify(usage, null, 2)}\n`));
}
