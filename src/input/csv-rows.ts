import type { CsvHead } from "./csv-head.js";
import { ParsedBody } from "./csv-parsed-body.js";
import { RecordRows, skipsBlankRecords } from "./csv-record-rows.js";
import { CsvSkimmer } from "./csv-skim.js";
import { type CsvSplitter, splitterFor } from "./csv-splitter.js";
import type { InputRow } from "./row.js";
import { batches, type RowReading } from "./row-batches.js";

/**
 * Reads the records after a CSV's header as rows, in batches of up to 500.
 *
 * Blank lines are no records, in a file of one column too: there an empty cell is written `""`. A record
 * with another number of cells than the header, and a quote that is never closed, is a UsageError with file,
 * line and counts, or a row with a `problem` when lenient. Lenient reading also takes a quote in the middle
 * of an unquoted cell as text. `newSplitter` is for tests: with one that returns null all is parsed.
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Buffer>,
  head: CsvHead,
  reading: RowReading,
  newSplitter: typeof splitterFor = splitterFor,
): AsyncGenerator<InputRow[]> {
  // Quotes of a lenient file prove nothing, so that its rows have to be parsed to be skipped.
  const delimiter = skipsBlankRecords(head, reading) ? head.delimiter.charCodeAt(0) : null;
  const maySkim = !reading.lenient && (delimiter ?? 0) < 0x80;
  const skip = maySkim ? reading.afterRow + 1 : 0;
  const skimmer = new CsvSkimmer(skip, head.bodyLine, head.lineBreak, delimiter);
  let body: CsvBody | null = null;
  for await (const chunk of chunks) {
    let part = chunk;
    if (body === null) {
      const from = skimmer.skim(chunk);
      if (from === -1) continue;
      body = new CsvBody(head, reading, skimmer.line, skip, newSplitter);
      part = chunk.subarray(from);
    }
    yield* batches(await body.write(part));
  }
  if (body !== null) yield* batches(await body.end());
}

/** Splits records as long as they are plain, then parses; without a splitter it parses from the start. */
class CsvBody {
  private readonly rows: RecordRows;
  private splitter: CsvSplitter | null;
  private parsed: ParsedBody | null = null;

  constructor(
    private readonly head: CsvHead,
    private readonly reading: RowReading,
    private readonly line: number,
    rowIndex: number,
    newSplitter: typeof splitterFor,
  ) {
    this.rows = new RecordRows(head, reading, rowIndex);
    this.splitter = newSplitter(head, line, (cells, start) => this.rows.take(cells, start));
  }

  async write(chunk: Buffer): Promise<InputRow[]> {
    await this.parse(this.splitter === null ? chunk : this.splitter.write(chunk));
    return this.rows.taken();
  }

  async end(): Promise<InputRow[]> {
    if (this.splitter !== null) await this.parse(this.splitter.end());
    await this.parsed?.end();
    return this.rows.taken();
  }

  /** Null when the splitter took all there was; its first bytes are its last word. */
  private async parse(bytes: Buffer | null): Promise<void> {
    if (bytes === null) return;
    this.parsed ??= new ParsedBody(this.head, this.reading, this.splitter?.line ?? this.line, this.rows);
    this.splitter = null;
    await this.parsed.write(bytes);
  }
}
