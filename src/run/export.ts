import { UsageError } from "../errors.js";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { foldJournal } from "../journal/index.js";
import type { OutputOptions } from "../job/resolved-job.js";
import { writeResults, type ResultFiles } from "./finalise.js";
import { rowsOfFile } from "./row-source.js";
import { findRun, readRunRecord } from "./run-directory.js";

export interface ExportOptions {
  /** Run id or run directory. */
  readonly run: string;
  /** Folder of run directories. */
  readonly runsRoot: string;
  /** Where the files go; default: the run directory. */
  readonly to?: string | undefined;
  /** Changes to the job's `output`. */
  readonly output?: Partial<OutputOptions>;
}

/**
 * Makes the result files of a run anew from its input and journal, with no call; rows that are not settled
 * stand there as `pending`. Works at any time, also while the run is under way.
 */
export async function exportRun(
  options: ExportOptions,
): Promise<{ files: Pick<ResultFiles, "results" | "errors">; warnings: readonly string[] }> {
  const directory = findRun(options.runsRoot, options.run);
  const record = await readRunRecord(directory);
  if (!existsSync(record.input.path)) {
    throw new UsageError(`The input of the run is gone: ${record.input.path}`, {
      code: "input_missing",
      hint: "Put it back: results are made from the input and the journal.",
    });
  }
  const { rows } = await foldJournal({ directory, identity: record.identity, rows: record.rows });
  const job = { ...record.job, output: { ...record.job.output, ...options.output } };
  const { files, warnings } = await writeResults({
    record: { ...record, job },
    directory,
    target: options.to === undefined ? directory : resolve(options.to),
    rows,
    source: rowsOfFile(record.input, record.job.input),
  });
  return { files, warnings };
}
