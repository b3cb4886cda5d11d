import type { UsageError } from "../errors.js";
import { JsonFault, parseJson } from "../json/parse-json.js";
import { inputError, MAX_RECORD_BYTES, place, recordTooLarge, rowProblem } from "./input-error.js";
import type { InputRow } from "./row.js";
import { batches, type RowReading } from "./row-batches.js";
import { shownText } from "./unsafe-text.js";
import { RowValues, valuesOfObject } from "./row-values.js";

const LINE_FEED = 10;
const SPACE = 32;

/**
 * Reads JSONL as rows, in batches of up to 500: one object per line, LF or CRLF, the last line with or
 * without one. Lines of white space are no rows but count as lines.
 *
 * A line that is no JSON (message with line and column) or no object is a UsageError, or a row with a
 * `problem` and no values when lenient.
 */
export async function* readJsonlRows(
  chunks: AsyncIterable<Buffer>,
  reading: RowReading,
): AsyncGenerator<InputRow[]> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  let line = 1;
  let rowIndex = 0;
  let rows: InputRow[] = [];

  const take = (bytes: Buffer, start: number, end: number): void => {
    if (!isBlank(bytes, start, end)) {
      if (rowIndex > reading.afterRow) {
        rows.push(parseLine(bytes.toString("utf8", start, end), rowIndex, line, reading));
      }
      rowIndex++;
    }
    line++;
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, start)) {
      if (begunBytes === 0) {
        take(chunk, start, at);
      } else {
        const whole = Buffer.concat([...begun, chunk.subarray(0, at)]);
        begun = [];
        begunBytes = 0;
        take(whole, 0, whole.length);
      }
      start = at + 1;
    }
    if (start < chunk.length) {
      begun.push(chunk.subarray(start));
      begunBytes += chunk.length - start;
      if (begunBytes > MAX_RECORD_BYTES) throw recordTooLarge(reading.path, line);
    }
    yield* batches(rows);
    rows = [];
  }
  const last = Buffer.concat(begun);
  take(last, 0, last.length);
  yield* batches(rows);
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if ((bytes[at] as number) > SPACE) return false;
  }
  return true;
}

function parseLine(text: string, rowIndex: number, line: number, reading: RowReading): InputRow {
  const where = place(reading.path, line);
  let failure: UsageError;
  try {
    const value = parseJson(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return { rowIndex, line, values: valuesOfObject(value) };
    failure = notAnObjectFailure(value, where);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    failure =
      error.duplicate === null
        ? jsonFailure(text, where, error)
        : duplicateKey(where, error.duplicate, error);
  }
  if (!reading.lenient) throw failure;
  return markedRow(rowIndex, line, failure);
}

function markedRow(rowIndex: number, line: number, failure: UsageError): InputRow {
  return {
    rowIndex,
    line,
    values: new RowValues(),
    problem: rowProblem(failure.code, failure.message),
  };
}

function jsonFailure(text: string, where: string, fault: JsonFault): UsageError {
  const column = Array.from(text.slice(0, fault.offset)).length + 1;
  const [found] = text.trimEnd().slice(fault.offset);
  const received = found === undefined ? "the line ends" : `found ${shownText(found)}`;
  return inputError(
    "invalid_json",
    `${where}, column ${String(column)}: not JSON: expected ${fault.expected}, ${received}.`,
    "JSONL has one JSON object per line. Fix the line, run with `--lenient` to mark such rows failed and go on, or set `input.format: csv` if it is CSV.",
    fault,
  );
}

function duplicateKey(where: string, key: string, fault: JsonFault): UsageError {
  return inputError(
    "duplicate_key",
    `${where}: the key ${shownText(key)} stands twice in one object.`,
    "Keep the one that counts, or run with `--lenient` to mark such rows failed and go on.",
    fault,
  );
}

function notAnObjectFailure(value: unknown, where: string): UsageError {
  const received = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
  return inputError(
    "not_an_object",
    `${where}: expected a JSON object, received ${received}.`,
    'Write each line as an object, for example {"id": "1", "text": "…"}, or run with `--lenient` to mark such rows failed and go on.',
  );
}
