import { CsvError } from "csv-parse";
import { parse } from "csv-parse/sync";
import type { UsageError } from "../errors.js";
import { inputError, place } from "./input-error.js";
import { shownText } from "./unsafe-text.js";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const QUOTE = 34;
const MAX_HEADER_BYTES = 1024 * 1024;
const DELIMITERS = [",", ";", "\t", "|"] as const;

/** What the start of a CSV settles for the rest of it. */
export interface CsvHead {
  readonly delimiter: string;
  readonly columns: readonly string[];
  /** Cells of the header: more than columns where it ends in some without a name. */
  readonly width: number;
  /** The byte that ends records; 13 only in files without a single line feed. */
  readonly lineBreak: number;
  /** 1-based line on which the body starts. */
  readonly bodyLine: number;
  /** Bytes already read beyond the header. */
  readonly rest: Buffer;
}

export interface CsvHeadOptions {
  readonly path: string;
  /** null: found among `,` `;` tab `|` by the header, outside of its quotes. */
  readonly delimiter: string | null;
}

/**
 * Reads up to the end of the header record, which is the first line that is not blank.
 *
 * Understands Excel's first line `sep=;`. Throws UsageError for an input without a header, a header over
 * 1 MB, column names that are empty or stand twice (naming columns and positions). Cells without a name at
 * the header's end are no columns: programs write them for cells that once were used.
 */
export async function readCsvHead(chunks: AsyncIterator<Buffer>, options: CsvHeadOptions): Promise<CsvHead> {
  let bytes: Buffer = Buffer.alloc(0);
  let ended = false;
  for (;;) {
    const span = findHeader(bytes, ended);
    if (span !== null) return settleHead(bytes, span, options);
    if (ended) throw emptyInput(options.path);
    if (bytes.length > MAX_HEADER_BYTES) throw headerTooLarge(options.path);
    const next = await chunks.next();
    if (next.done === true) ended = true;
    else bytes = bytes.length === 0 ? next.value : Buffer.concat([bytes, next.value]);
  }
}

interface HeaderSpan {
  readonly start: number;
  readonly end: number;
  /** Where the body starts. */
  readonly next: number;
  readonly lineBreak: number;
  readonly startLine: number;
  readonly bodyLine: number;
  readonly separator: string | null;
}

/** Null while the bytes at hand do not hold the whole header record. */
function findHeader(bytes: Buffer, ended: boolean): HeaderSpan | null {
  const enough = ended || bytes.length > MAX_HEADER_BYTES;
  const lineBreak =
    bytes.includes(LINE_FEED) || !bytes.includes(CARRIAGE_RETURN) ? LINE_FEED : CARRIAGE_RETURN;
  if (lineBreak === CARRIAGE_RETURN && !enough) return null;
  let start = 0;
  let startLine = 1;
  let separator: string | null = null;
  for (;;) {
    while (bytes[start] === LINE_FEED || bytes[start] === CARRIAGE_RETURN) {
      if (bytes[start] === lineBreak) startLine++;
      start++;
    }
    if (start === bytes.length) return null;
    const { end, lines } = recordEnd(bytes, start, lineBreak);
    if (end === bytes.length && !ended) return null;
    const line: string =
      startLine === 1 && separator === null ? bytes.toString("utf8", start, end).trimEnd() : "";
    const declared: string | undefined = /^"?sep=(.)"?$/iu.exec(line)?.[1];
    if (declared === undefined) {
      const bodyLine = startLine + lines + 1;
      return { start, end, next: end + 1, lineBreak, startLine, bodyLine, separator };
    }
    separator = declared;
    start = Math.min(end + 1, bytes.length);
    startLine++;
  }
}

/** `end` is the index of the line break outside of quotes, or the length. */
function recordEnd(bytes: Buffer, start: number, lineBreak: number): { end: number; lines: number } {
  let quoted = false;
  let lines = 0;
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) quoted = !quoted;
    if (bytes[at] !== lineBreak) continue;
    if (!quoted) return { end: at, lines };
    lines++;
  }
  return { end: bytes.length, lines };
}

function settleHead(bytes: Buffer, span: HeaderSpan, options: CsvHeadOptions): CsvHead {
  const { lineBreak, bodyLine } = span;
  const crlf = lineBreak === LINE_FEED && bytes[span.end - 1] === CARRIAGE_RETURN;
  const record = bytes.subarray(span.start, crlf ? span.end - 1 : span.end);
  const delimiter = options.delimiter ?? span.separator ?? detectDelimiter(record);
  const cells = parseHeader(record, { delimiter, record_delimiter: recordDelimiters(lineBreak) }, () =>
    place(options.path, span.startLine),
  );
  const columns = cells.slice(0, cells.findLastIndex((name) => name.trim() !== "") + 1);
  checkColumns(columns.length === 0 ? cells : columns, options.path, span.startLine);
  return { delimiter, columns, width: cells.length, lineBreak, bodyLine, rest: bytes.subarray(span.next) };
}

/** The candidate that stands most often outside of quotes; on a tie, and in one column, the earlier one. */
function detectDelimiter(record: Buffer): string {
  const counts = DELIMITERS.map(() => 0);
  let quoted = false;
  for (const character of record.toString("utf8")) {
    if (character === '"') quoted = !quoted;
    const candidate = quoted ? -1 : (DELIMITERS as readonly string[]).indexOf(character);
    if (candidate !== -1) counts[candidate] = (counts[candidate] ?? 0) + 1;
  }
  return DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ",";
}

/** What ends a record: files with line feeds may mix LF and CRLF, and a lone CR in them is text. */
export function recordDelimiters(lineBreak: number): string[] {
  return lineBreak === LINE_FEED ? ["\r\n", "\n"] : ["\r"];
}

function parseHeader(
  record: Buffer,
  settings: { delimiter: string; record_delimiter: string[] },
  where: () => string,
): string[] {
  try {
    const [columns = []] = parse(record, { ...settings, relax_column_count: true });
    return columns;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const unclosed = error.code === "CSV_QUOTE_NOT_CLOSED";
    throw inputError(
      unclosed ? "unclosed_quote" : "stray_quote",
      `${where()}: the header ${unclosed ? "opens a quote that is never closed" : "has a quote in the middle of a column name"}.`,
      'Write a name that holds a quote as "the ""quoted"" name".',
      error,
    );
  }
}

function checkColumns(columns: readonly string[], path: string, line: number): void {
  const positions = new Map<string, number[]>();
  for (const [index, column] of columns.entries()) {
    const name = column.trim() === "" ? "" : column;
    positions.set(name, [...(positions.get(name) ?? []), index + 1]);
  }
  const faults: string[] = [];
  for (const [name, at] of positions) {
    const places = `position${at.length > 1 ? "s" : ""} ${at.join(", ")}`;
    if (name === "") faults.push(`no name at ${places}`);
    else if (at.length > 1) faults.push(`${shownText(name)} at ${places}`);
  }
  if (faults.length === 0) return;
  throw inputError(
    "bad_header",
    `${place(path, line)}: every column needs a name of its own, but the header has ${faults.join("; ")}.`,
    columns[0]?.trim() === ""
      ? "A first column without a name is a row index: write the file without it, in pandas with `index=False`, in R with `row.names=FALSE`; or name it."
      : `Rename or remove these columns in the first record. It was read as ${String(columns.length)} columns.`,
  );
}

function emptyInput(path: string): UsageError {
  return inputError(
    "input_empty",
    `The input ${path} is empty.`,
    "It needs a header line with the column names, then one record per row.",
  );
}

function headerTooLarge(path: string): UsageError {
  return inputError(
    "header_too_large",
    `The header of ${path} does not end within 1 MB.`,
    "Check that the first line holds the column names and closes its quotes.",
  );
}
