import { readRows, type ReadableInput } from "../input/index.js";
import type { InputRow } from "../input/row.js";
import type { InputOptions } from "../job/resolved-job.js";

/** Bytes of rows that may be kept, roughly: what a small input has, little beside the process itself. */
const MAX_BYTES = 32_000_000;
/** What a row takes beside its text. */
const ROW_BYTES = 200;
/** A value of JSONL that is no text, roughly. */
const VALUE_BYTES = 256;
const BATCH_ROWS = 500;

/** Reads a run's rows, in order, as often as they are needed. */
export type RowSource = (options?: {
  /** Rows up to this index are passed over, as cheaply as possible. */
  readonly afterRow?: number;
  readonly signal?: AbortSignal;
}) => AsyncIterable<readonly InputRow[]>;

/** Rows of an input file, read anew each time; HaltError when it is not the file that was scanned. */
export function rowsOfFile(description: ReadableInput, options: InputOptions): RowSource {
  return (hooks = {}) => readRows(description, options, hooks);
}

/** Rows that are in memory already. */
export function rowsInMemory(rows: readonly InputRow[]): RowSource {
  return async function* ({ afterRow = -1, signal } = {}) {
    for (let start = afterRow + 1; start < rows.length && signal?.aborted !== true; start += BATCH_ROWS) {
      yield rows.slice(start, start + BATCH_ROWS);
    }
  };
}

/**
 * Keeps rows of an input while it is small, so that making requests and results of it need not parse it
 * again. A large input is not kept at all. Requests are not kept either: most are made anew for less than it costs the
 * garbage collector to carry them along.
 */
export class RowKeeper {
  #rows: InputRow[] | null = [];
  #bytes = 0;

  add(row: InputRow): void {
    if (this.#rows === null) return;
    this.#rows.push(row);
    this.#bytes += ROW_BYTES;
    for (const key in row.values) {
      const value = row.values[key];
      this.#bytes += typeof value === "string" ? value.length : VALUE_BYTES;
    }
    if (this.#bytes > MAX_BYTES) this.#rows = null;
  }

  /** All rows, or null when there were too many to keep. */
  get rows(): readonly InputRow[] | null {
    return this.#rows;
  }
}
