import { HaltError } from "../errors.js";
import { isDiskFull } from "../journal/journal-failure.js";
import { JournalReader } from "../journal/journal-reader.js";
import { RowState, type RowTable } from "../protocol/row-table.js";
import type { Output } from "../types.js";
import { buildUsageReport, type UsageReport, type UsageTotals } from "../usage/index.js";
import type { ExecutionOutcome } from "./coordinator/execution.js";
import type { EarlyResults } from "./early-results.js";
import { writeUsage, type DerivedFiles, type ResultFiles } from "./finalise.js";
import type { RunRecord } from "./record.js";
import type { RunDirectory } from "./run-directory.js";

const FIRST_ANSWERS = 3;

/** What came of a run. */
export interface RunSummary {
  readonly runId: string;
  /** Absolute. */
  readonly directory: string;
  readonly state: RunRecord["state"];
  readonly rows: { readonly total: number; readonly succeeded: number; readonly failed: number };
  /** Answers that ended at their token limit. */
  readonly truncated: number;
  readonly usage: UsageReport;
  /** null: not every row is settled, so no result files were made; `export` makes them at any time. */
  readonly files: ResultFiles | null;
  readonly simulated: boolean;
  readonly seconds: number;
  /** Why the run halted; null when it did not. */
  readonly halt: HaltError | null;
  /** Of the first rows that succeeded, to look at. */
  readonly firstAnswers: readonly { readonly customId: string; readonly text: string }[];
  readonly warnings: readonly string[];
}

export interface ConcludeOptions {
  readonly directory: RunDirectory;
  readonly record: RunRecord;
  readonly totals: UsageTotals;
  readonly early: EarlyResults<DerivedFiles>;
  readonly outcome: ExecutionOutcome;
  readonly warnings: readonly string[];
  /** Since the run began. */
  readonly seconds: () => number;
}

/** Derives the files of a run that has stopped, and leaves run.json true. */
export async function conclude(options: ConcludeOptions): Promise<RunSummary> {
  const { directory, early, outcome, seconds } = options;
  const { reason, index } = outcome;
  const finishedAt = new Date().toISOString();
  const isFinished = reason.kind === "finished";
  const usage = usageOf(options, isFinished ? finishedAt : null);
  let halt = reason.kind === "halted" ? reason.error : null;
  let derived: DerivedFiles | null = null;
  try {
    if (isFinished) derived = await early.finish(index);
    await writeUsage(directory.file("usage.json"), usage);
  } catch (error) {
    halt ??= haltOf(error);
  }
  const record: RunRecord = {
    ...options.record,
    state: halt !== null || reason.kind === "failed" ? "halted" : reason.kind,
    counts: countsOf(index, derived?.truncated ?? options.record.counts.truncated),
    finishedAt,
    halt: halt === null ? null : { code: halt.code, message: halt.message },
  };
  await directory.write(record).catch((error: unknown) => {
    halt ??= haltOf(error); // the old run.json stands, by which the run can be resumed as well
  });
  return {
    runId: record.runId,
    directory: directory.path,
    state: record.state,
    rows: { total: record.rows, succeeded: index.succeeded, failed: index.failed },
    truncated: record.counts.truncated,
    usage,
    files: derived === null ? null : { ...derived.files, usage: directory.file("usage.json") },
    simulated: record.simulated,
    seconds: seconds(),
    halt,
    firstAnswers: await firstAnswers(directory.path, index, record.rows),
    warnings: [...options.warnings, ...(derived?.warnings ?? [])],
  };
}

function usageOf({ record, totals, outcome }: ConcludeOptions, finishedAt: string | null): UsageReport {
  const { openStarts, unknownStarts } = outcome;
  const { runId, job, startedAt } = record;
  return buildUsageReport(totals, {
    runId,
    job: job.name,
    tags: job.tags,
    startedAt,
    finishedAt,
    openStarts,
    unknownStarts,
  });
}

/** What halts a run although its rows are settled: a full disk, an input that is another by now. Anything else is thrown. */
function haltOf(error: unknown): HaltError {
  if (error instanceof HaltError) return error;
  if (isDiskFull(error)) return diskFull(error);
  throw error;
}

function diskFull(cause: unknown): HaltError {
  return new HaltError("The disk of the run directory is full: results and usage could not be written.", {
    code: "disk_full",
    hint: "Make room, then resume the run: nothing is called again.",
    cause,
  });
}

async function firstAnswers(
  directory: string,
  index: RowTable,
  rows: number,
): Promise<RunSummary["firstAnswers"]> {
  const reader = new JournalReader(directory, index);
  const answers: { customId: string; text: string }[] = [];
  try {
    const lookedAt = Math.min(rows, 1_000); // enough to find some, also in a run where nearly all failed
    for (let row = 0; row < lookedAt && answers.length < FIRST_ANSWERS; row++) {
      if (index.state(row) !== RowState.succeeded) continue;
      const result = await reader.read(row);
      if (result?.status === "succeeded")
        answers.push({ customId: result.customId, text: shownAnswer(result.output) });
    }
  } finally {
    await reader.close();
  }
  return answers;
}

/** Of an answer that is calls of tools, those. */
function shownAnswer({ text, toolCalls }: Output): string {
  return text === "" && toolCalls !== undefined ? JSON.stringify(toolCalls) : text;
}

function countsOf(index: RowTable, truncated: number): RunRecord["counts"] {
  return { succeeded: index.succeeded, failed: index.failed, truncated };
}
