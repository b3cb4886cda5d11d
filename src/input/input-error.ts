import { UsageError } from "../errors.js";
import type { RowError } from "../types.js";
import { printable } from "./unsafe-text.js";

/**
 * Bytes one record may have: 64 MB of UTF-8.
 *
 * A bound, so that one quote that is never closed cannot take the rest of a large file into memory.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** An input that cannot be read, as every reader here reports it: exit 2, nothing was called. */
export function inputError(code: string, message: string, hint: string, cause?: unknown): UsageError {
  return new UsageError(printable(message), { code, hint: printable(hint), cause });
}

/** Bytes that are not of the encoding that they were read as; `guess` is what they look like. */
export class WrongEncoding extends UsageError {
  constructor(
    message: string,
    hint: string,
    code: string,
    readonly guess: string,
  ) {
    super(printable(message), { code, hint });
  }
}

/** How a message names a place: `file, line 7`. Lines are 1-based and physical, blank ones included. */
export function place(path: string, line: number): string {
  return `${path}, line ${String(line)}`;
}

/** One record is over {@link MAX_RECORD_BYTES}; `line` is where it starts. */
export function recordTooLarge(path: string, line: number): UsageError {
  return inputError(
    "record_too_large",
    `${place(path, line)}: the record that starts here is longer than ${String(MAX_RECORD_BYTES / 1024 / 1024)} MB.`,
    "Look for a quote that is never closed, or for a file without line breaks.",
  );
}

/** What a row that could not be read carries when reading leniently. */
export function rowProblem(code: string, message: string): RowError {
  return { kind: "input", code, message: printable(message), httpStatus: null };
}
