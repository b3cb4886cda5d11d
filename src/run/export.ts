import { UsageError } from "../errors.js";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { OutputOptions } from "../job/resolved-job.js";
import { JournalIndex } from "../writer/journal-index.js";
import { loadJournal } from "../writer/journal-load.js";
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
  const journalPath = join(directory, "journal.jsonl");
  if (!existsSync(record.input.path)) {
    throw new UsageError(`The input of the run is gone: ${record.input.path}`, {
      code: "input_missing",
      hint: "Put it back: results are made from the input and the journal.",
    });
  }
  const index = existsSync(journalPath)
    ? (await loadJournal(journalPath, record.rows)).index
    : new JournalIndex();
  const job = { ...record.job, output: { ...record.job.output, ...options.output } };
  const target = options.to === undefined ? directory : resolve(options.to);
  const file = (name: string): string => join(name === "journal.jsonl" ? directory : target, name);
  const { files, warnings } = await writeResults(
    { ...record, job },
    index,
    rowsOfFile(record.input, record.job.input),
    file,
  );
  return { files, warnings };
}
