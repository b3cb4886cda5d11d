import { UsageError } from "../errors.js";
import { scanInput, type InputSummary } from "../input/index.js";
import type { InputRow } from "../input/row.js";
import {
  compileRequests,
  hasLocalImages,
  missingColumns,
  RowProblem,
  shortRequestDigest,
  type AnsweredBy,
  type RequestBuilder,
} from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { checkRequest } from "../provider/index.js";
import { PAYLOAD_VERSION, type QueuePayload } from "../queue/payload.js";
import type { RowError } from "../types.js";

/** What is known once every row has been looked at and nothing has been called. */
export interface PreparedInput {
  readonly summary: InputSummary;
  /** Rows of this run: all, or the first `limit`. */
  readonly rows: number;
  readonly builder: RequestBuilder;
  readonly warnings: readonly string[];
}

export interface PrepareOptions {
  readonly limit: number | null;
  readonly signal?: AbortSignal;
  /** Sees each row of the run that became a request. */
  readonly onRequest?: (payload: QueuePayload) => void;
}

/**
 * Reads the whole input once and makes every request of the run, so that what is wrong anywhere is said
 * before anything is called: UsageError. Rows that only a lenient job may have are left to the run.
 */
export async function prepareInput(job: ResolvedJob, options: PrepareOptions): Promise<PreparedInput> {
  const builder = compileRequests(job);
  const warnings = new Set<string>();
  const build = requestMaker(builder);
  let checkedColumns = false;
  const onRow = (row: InputRow): void => {
    if (options.limit !== null && row.rowIndex >= options.limit) return;
    if (row.problem !== undefined) return;
    const payload = build(row);
    if ("kind" in payload) {
      if (job.input.lenient) return;
      throw new UsageError(`${job.input.path}:${row.line}: ${payload.message}`, {
        code: payload.code,
        hint: "Mend the row, or go on without such rows: --set input.lenient=true",
      });
    }
    const { problems, warnings: found } = checkRequest(payload.request, job.protocol);
    for (const warning of found) warnings.add(warning);
    if (problems.length > 0) throw requestRefused(job, row, problems);
    options.onRequest?.(payload);
  };
  const summary = await scanInput(job.input, {
    onRow: (row) => {
      if (!checkedColumns && job.prompt !== null) {
        checkedColumns = true;
        refuseMissingColumns(job, Object.keys(row.values), row);
      }
      onRow(row);
    },
    signal: options.signal,
  });
  refuseColumnClash(job, summary.columns);
  for (const warning of builder.warnings) warnings.add(warning);
  const rows = options.limit === null ? summary.rows : Math.min(summary.rows, options.limit);
  return { summary, rows, builder, warnings: [...warnings] };
}

/**
 * Turns rows into what goes on the queue; a row that cannot be one comes back as the reason. With
 * `answeredBy`, payloads carry their request's digest, but for those whose local images are not in yet.
 */
export function requestMaker(
  builder: RequestBuilder,
  answeredBy?: AnsweredBy,
): (row: InputRow) => QueuePayload | RowError {
  return (row) => {
    try {
      const { customId, preset, request } = builder.build(row);
      const payload = { v: PAYLOAD_VERSION, rowIndex: row.rowIndex, customId, preset, request } as const;
      if (answeredBy === undefined || hasLocalImages(request)) return payload;
      return { ...payload, requestDigest: shortRequestDigest(request, answeredBy) };
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error;
      return { kind: "input", code: "row_invalid", message: error.message, httpStatus: null };
    }
  };
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

/** CSV rows all have the header's columns: a variable without one is said once, not for each row. */
function refuseMissingColumns(job: ResolvedJob, columns: readonly string[], row: InputRow): void {
  if (row.problem !== undefined) return;
  const missing = missingColumns(job, columns);
  if (missing.length === 0) return;
  const list = missing.map(({ column, where }) => `${JSON.stringify(column)} (${where})`).join(", ");
  throw new UsageError(`The job uses columns that ${job.input.path} does not have: ${list}.`, {
    code: "column_missing",
    hint: `Its columns: ${columns.join(", ")}`,
  });
}

function refuseColumnClash(job: ResolvedJob, columns: readonly string[]): void {
  if (!columns.includes(job.output.column)) return;
  throw new UsageError(
    `output.column: expected a name that the input does not use, received ${JSON.stringify(job.output.column)}, which ${job.input.path} has already.`,
    { code: "output_column_taken", hint: "Choose another: --set output.column=answer" },
  );
}
