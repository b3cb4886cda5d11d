import { UsageError } from "../errors.js";
import { PROMPT_ROW_IDS, scanInput, type InputSummary } from "../input/index.js";
import type { InputRow } from "../input/row.js";
import {
  compileRequests,
  hasLocalImages,
  lookAlikeWarnings,
  refuseMissingColumns,
  type RequestBuilder,
} from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { checkRequest, type Vendor } from "../provider/index.js";
import type { RowTask } from "../protocol/events.js";
import type { ModelRequest } from "../types.js";
import { checkOutput } from "./answer-columns.js";
import { LocalImageCheck } from "./local-images.js";
import { requestMaker } from "./row-task.js";
import { RowKeeper } from "./row-source.js";

/** What is known once every row has been looked at and nothing has been called. */
export interface PreparedInput {
  readonly summary: InputSummary;
  /** Rows of this run: all, or the first `limit`. */
  readonly rows: number;
  readonly builder: RequestBuilder;
  /** The rows of this run, when they are few enough to keep; else null. */
  readonly keptRows: readonly InputRow[] | null;
  readonly warnings: readonly string[];
}

export interface PrepareOptions {
  readonly limit: number | null;
  readonly signal?: AbortSignal;
  /** Whose models answer: decides what can be seen to be wrong with a request. @default model-studio */
  readonly vendor?: Vendor;
  /** Sees each row of the run that became a request; local images are still file: URLs. */
  readonly onRequest?: (payload: RowTask) => void;
}

/**
 * Reads the whole input once and makes every request of the run, so that what is wrong anywhere is said
 * before anything is called: UsageError. Rows that only a lenient job may have are left to the run.
 */
export async function prepareInput(job: ResolvedJob, options: PrepareOptions): Promise<PreparedInput> {
  const keeper = new RowKeeper();
  const builder = compileRequests(job);
  const warnings = new Set<string>();
  const build = requestMaker(builder);
  const images = new LocalImageCheck(builder.imageRoot);
  const checkColumns = (columns: readonly string[]): void => {
    refuseMissingColumns(job, columns);
    checkOutput(job, columns);
  };
  checkOutput(job, []);
  const onRow = (row: InputRow): void | Promise<void> => {
    if (options.limit !== null && row.rowIndex >= options.limit) return;
    if (row.problem !== undefined) return;
    const payload = build(row);
    if ("kind" in payload) {
      if (job.input.lenient) return;
      throw new UsageError(`${job.input.path}:${row.line}: ${payload.message}`, {
        code: payload.code,
        hint: "Correct the row, or go on without such rows: --set input.lenient=true",
      });
    }
    if (hasLocalImages(payload.request)) return checkWithImages(row, payload);
    check(row, payload, payload.request);
  };
  const check = (row: InputRow, payload: RowTask, request: ModelRequest): void => {
    const { problems, warnings: found } = checkRequest(request, job.protocol, options.vendor);
    for (const warning of found) warnings.add(warning);
    if (problems.length > 0) throw requestRefused(job, row, problems);
    options.onRequest?.(payload);
  };
  const checkWithImages = async (row: InputRow, payload: RowTask): Promise<void> => {
    try {
      check(row, payload, await images.check(payload.request));
    } catch (error) {
      if (!(error instanceof UsageError) || error.code === "request_invalid") throw error;
      if (!job.input.lenient) throw imageRefused(job, row, error);
    }
  };
  const summary = await scanInput(job.input, {
    // Rows of JSONL need not be alike: what their keys are together is known at the end.
    onDescription: ({ format, columns }) => {
      if (format === "csv") checkColumns(columns);
    },
    onRow: (row) => {
      if (options.limit === null || row.rowIndex < options.limit) keeper.add(row);
      return onRow(row);
    },
    signal: options.signal,
    ...(job.prompt === null ? { optionalId: PROMPT_ROW_IDS } : {}),
  });
  checkColumns(summary.columns);
  for (const warning of lookAlikeWarnings(job, summary.columns)) warnings.add(warning);
  for (const warning of builder.warnings) warnings.add(warning);
  if (summary.blank !== undefined) warnings.add(blankRecords(summary.blank));
  const rows = options.limit === null ? summary.rows : Math.min(summary.rows, options.limit);
  return { summary, rows, builder, keptRows: keeper.rows, warnings: [...warnings] };
}

function blankRecords({ records, firstLine }: NonNullable<InputSummary["blank"]>): string {
  return records === 1
    ? `line ${firstLine} of the input holds no value and was skipped`
    : `${records} records of the input hold no value and were skipped, the first on line ${firstLine}`;
}

function requestRefused(job: ResolvedJob, row: InputRow, problems: readonly string[]): UsageError {
  return new UsageError(
    `${job.input.path}:${row.line}: this row's request would be refused: ${problems.join("; ")}`,
    {
      code: "request_invalid",
      hint: "Correct the job's parameters or the row's overrides.",
    },
  );
}

function imageRefused(job: ResolvedJob, row: InputRow, cause: UsageError): UsageError {
  return new UsageError(`${job.input.path}:${row.line}: ${cause.message}`, {
    code: cause.code,
    hint: cause.hint,
    cause,
  });
}
