import { createHash } from "node:crypto";
import type { UsageError } from "../errors.js";
import type { InputOptions } from "../job/resolved-job.js";
import { keysOf } from "../json/source-number.js";
import type { InputDescription } from "./describe.js";
import { describeInput } from "./describe.js";
import { IdCheck } from "./id-check.js";
import { inputError, place } from "./input-error.js";
import { columnNamed } from "./look-alike.js";
import { readRows } from "./read-rows.js";
import type { InputRow } from "./row.js";
import { fingerprint } from "./source.js";

/** Keys that JSONL rows may have together. Each becomes a column of the results. */
const MAX_COLUMNS = 10_000;

export interface InputSummary extends InputDescription {
  readonly rows: number;
  /** Of the file as it lies on disk. */
  readonly bytes: number;
  /** Of the file as it lies on disk; hex. */
  readonly sha256: string;
  /** Rows marked with a problem; 0 unless reading leniently. */
  readonly problems: number;
  /** Records of a CSV without any value, which are no rows, and the line of the first. Absent: there are none. */
  readonly blank?: { readonly records: number; readonly firstLine: number };
}

export interface ScanHooks {
  /** Sees what the start of the file says, before the first row; may throw UsageError to refuse the input. */
  readonly onDescription?: ((description: InputDescription) => void) | undefined;
  /** Sees each row, in order, and is waited for; may throw UsageError to refuse the input. */
  readonly onRow?: ((row: InputRow) => void | Promise<void>) | undefined;
  /** A column that may hold ids, when `options.id` names none; rows without one are identified by number. */
  readonly optionalId?: string | readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The whole pass over an input before any call: every record is read, ids are checked, rows counted and the
 * file hashed. Memory grows by 15 to 23 bytes per row when there is an id column, else not at all.
 *
 * Throws UsageError at the first record that cannot be read (unless lenient), at a row whose id is empty or
 * no text or number, at an id that stands twice, and for an input without rows. Rows marked with a problem
 * are not held to have an id.
 */
export async function scanInput(options: InputOptions, hooks: ScanHooks = {}): Promise<InputSummary> {
  const description = await describeInput(options);
  hooks.onDescription?.(description);
  const hash = createHash("sha256");
  let bytes = 0;
  const onRawChunk = (chunk: Buffer): void => {
    hash.update(chunk);
    bytes += chunk.length;
  };
  const columns = description.format === "jsonl" ? new Set<string>() : null;
  const ids = idCheck(options, description, hooks.optionalId);
  let rows = 0;
  let problems = 0;
  const blank = { records: 0, firstLine: 0 };
  const onBlank = (line: number): void => {
    if (blank.records++ === 0) blank.firstLine = line;
  };
  for await (const batch of readRows(description, options, { signal: hooks.signal, onRawChunk, onBlank })) {
    for (const row of batch) {
      if (row.problem !== undefined) problems++;
      else {
        const comparing = ids?.check(row);
        if (comparing !== undefined) await comparing;
      }
      if (columns !== null) addColumns(columns, row, description.path);
      const seen = hooks.onRow?.(row);
      if (seen !== undefined) await seen;
    }
    rows += batch.length;
  }
  if (rows === 0) throw noRows(description);
  // After the end of the compressed data gzip files may carry padding, which decompressing leaves unread.
  const raw = description.gzip ? await fingerprint(description.path) : { bytes, sha256: hash.digest("hex") };
  return {
    ...description,
    columns: columns === null ? description.columns : [...columns],
    rows,
    problems,
    ...(blank.records === 0 ? {} : { blank }),
    ...raw,
  };
}

function idCheck(
  options: InputOptions,
  description: InputDescription,
  optionalId: ScanHooks["optionalId"],
): IdCheck | null {
  const column = options.id ?? optionalId ?? null;
  if (column === null) return null;
  const isAbsent =
    description.format === "csv" &&
    [column].flat().every((name) => columnNamed(description.columns, name) === null);
  if (options.id === null && isAbsent) return null;
  return new IdCheck(column, description, options, options.id !== null);
}

function addColumns(columns: Set<string>, row: InputRow, path: string): void {
  for (const key of keysOf(row.values)) columns.add(key);
  if (columns.size <= MAX_COLUMNS) return;
  throw inputError(
    "too_many_columns",
    `${place(path, row.line)}: the rows up to here have more than ${String(MAX_COLUMNS)} different keys.`,
    "Move keys that differ from row to row into one nested object.",
  );
}

function noRows(description: InputDescription): UsageError {
  const { path, format } = description;
  return inputError(
    "input_no_rows",
    format === "csv" ? `${path} has a header but no rows.` : `${path} has no rows.`,
    "Check that it is the right file and that its export was complete.",
  );
}
