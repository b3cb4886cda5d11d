import type { InputOptions } from "../job/resolved-job.js";
import { keysOf } from "../json/source-number.js";
import { readCsvHead } from "./csv-head.js";
import { settleEncoding } from "./encoding.js";
import { inputError } from "./input-error.js";
import { columnNamed } from "./look-alike.js";
import { readJsonlRows } from "./jsonl-rows.js";
import { readText } from "./read-text.js";
import type { Format } from "./sniff.js";
import { foreignFile, isGzip, isTabSeparatedByName, settleFormat } from "./sniff.js";
import { readBytes } from "./source.js";
import { shownText } from "./unsafe-text.js";

/** How many JSONL rows are looked at for column names when only describing. */
const SAMPLE_ROWS = 100;
const HEAD_BYTES = 4096;

/** Format, encoding, delimiter and columns settled: what the rest of a run reads with. JSON-safe. */
export interface InputDescription {
  readonly path: string;
  readonly format: Format;
  readonly gzip: boolean;
  /** Never `auto`: what was found, or the name that was given. */
  readonly encoding: string;
  /** null for JSONL. */
  readonly delimiter: string | null;
  /**
   * CSV: the header, in order. JSONL: keys in order of first appearance; of the whole file when scanned, of
   * the first 100 rows when only described.
   */
  readonly columns: readonly string[];
  /** Records without any value are no rows. Absent in runs of versions for which they were. */
  readonly skipsBlank?: true;
}

/**
 * Reads the start of an input and settles how to read the rest; cheap, whatever the file's size.
 *
 * Throws UsageError for all that the start can show: a file that is missing, unreadable, empty or of a
 * foreign format, an unknown or wrong encoding, a bad header, a missing id column.
 */
export async function describeInput(options: InputOptions): Promise<InputDescription> {
  const { path } = options;
  const gzip = isGzip(await firstBytes(path, false));
  if (!gzip && /\.gz$/i.test(path)) throw notGzip(path);
  const head = await firstBytes(path, gzip);
  if (head.length === 0) throw emptyFile(path);
  const foreign = foreignFile(path, head);
  if (foreign !== null) throw foreign;
  const encoding = settleEncoding(path, options.encoding, head);
  const source = { path, gzip, encoding };
  const format = settleFormat(path, options.format, await firstText(source));
  const described =
    format === "csv"
      ? await describeCsv(source, options)
      : { delimiter: null, columns: await sampleColumns(source, options) };
  const description = { path, format, gzip, encoding, ...described };
  checkIdColumn(description, options.id);
  return description;
}

type Source = Parameters<typeof readText>[0];

async function firstBytes(path: string, gzip: boolean): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of readBytes({ path, gzip })) {
    parts.push(chunk);
    length += chunk.length;
    if (length >= HEAD_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, HEAD_BYTES);
}

async function firstText(source: Source): Promise<string> {
  let text = "";
  for await (const chunk of readText(source)) {
    text += chunk.toString("utf8", 0, HEAD_BYTES);
    if (text.trim() !== "") return text;
  }
  throw emptyFile(source.path);
}

async function describeCsv(
  source: Source,
  options: InputOptions,
): Promise<Pick<InputDescription, "delimiter" | "columns" | "skipsBlank">> {
  const chunks = readText(source);
  try {
    const delimiter = settleDelimiter(options);
    const head = await readCsvHead(chunks, { path: source.path, delimiter });
    return { delimiter: head.delimiter, columns: head.columns, skipsBlank: true };
  } finally {
    await chunks.return(undefined);
  }
}

function settleDelimiter(options: InputOptions): string | null {
  const { delimiter } = options;
  if (delimiter === null) return isTabSeparatedByName(options.path) ? "\t" : null;
  if (delimiter === "tab" || delimiter === "\\t") return "\t";
  if (delimiter.length === 1 && !/["\r\n]/.test(delimiter)) return delimiter;
  throw inputError(
    "bad_delimiter",
    `The delimiter must be one character, no quote and no line break; received ${JSON.stringify(delimiter)}.`,
    "Use `,`, `;`, `|` or `tab`, or leave `input.delimiter` out: those are detected.",
  );
}

async function sampleColumns(source: Source, options: InputOptions): Promise<readonly string[]> {
  const columns = new Set<string>();
  let rows = 0;
  const reading = { path: source.path, lenient: options.lenient, afterRow: -1 };
  for await (const batch of readJsonlRows(readText(source), reading)) {
    for (const row of batch.slice(0, SAMPLE_ROWS - rows)) {
      for (const key of keysOf(row.values)) columns.add(key);
    }
    rows += batch.length;
    if (rows >= SAMPLE_ROWS) break;
  }
  return [...columns];
}

function checkIdColumn(description: InputDescription, id: string | null): void {
  const { path, columns } = description;
  if (id === null || columnNamed(columns, id) !== null) return;
  const shown = columns.slice(0, 50).map(shownText);
  const more = columns.length > 50 ? ` and ${String(columns.length - 50)} more` : "";
  throw inputError(
    "id_column_missing",
    `${path} has no column ${shownText(id)} to take ids from.`,
    `Set \`input.id\` to one of its columns: ${shown.join(", ")}${more}; or leave it out to number the rows.`,
  );
}

function emptyFile(path: string): Error {
  return inputError(
    "input_empty",
    `The input ${path} is empty.`,
    "It needs a header line and records (CSV), or one JSON object per line (JSONL).",
  );
}

function notGzip(path: string): Error {
  return inputError(
    "not_gzip",
    `${path} is named .gz but is not a gzip file.`,
    "Rename it without .gz if it is not compressed, else copy or download it again.",
  );
}
