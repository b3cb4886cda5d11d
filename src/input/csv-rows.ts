import type { Options } from "csv-parse";
import { CsvError, Parser } from "csv-parse";
import type { RowError } from "../types.js";
import { cellCountText, cellCountFailure, strayQuoteFailure, UnclosedQuote } from "./csv-failures.js";
import type { CsvHead } from "./csv-head.js";
import { recordDelimiters } from "./csv-head.js";
import { CsvLines } from "./csv-lines.js";
import { CsvSkimmer } from "./csv-skim.js";
import { MAX_RECORD_BYTES, place, recordTooLarge, rowProblem } from "./input-error.js";
import type { InputRow } from "./row.js";
import { batches, type RowReading } from "./row-batches.js";
import { RowValues, valuesOfCells } from "./row-values.js";

/**
 * Reads the records after a CSV's header as rows, in batches of up to 500.
 *
 * Blank lines are no records, in a file of one column too: there an empty cell is written `""`. A record
 * with another number of cells than the header, and a quote that is never closed, is a UsageError with file,
 * line and counts, or a row with a `problem` when lenient. Lenient reading also takes a quote in the middle
 * of an unquoted cell as text.
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Buffer>,
  head: CsvHead,
  reading: RowReading,
): AsyncGenerator<InputRow[]> {
  // Quotes of a lenient file prove nothing, so that its rows have to be parsed to be skipped.
  const skip = reading.lenient ? 0 : reading.afterRow + 1;
  const skimmer = new CsvSkimmer(skip, head.bodyLine, head.lineBreak);
  let body: CsvBody | null = null;
  for await (const chunk of chunks) {
    let part = chunk;
    if (body === null) {
      const from = skimmer.skim(chunk);
      if (from === -1) continue;
      body = new CsvBody(head, reading, skimmer.line, skip);
      part = chunk.subarray(from);
    }
    yield* batches(await body.write(part));
  }
  if (body !== null) yield* batches(await body.end());
}

/**
 * Hands each record over where it is parsed, while the parser's counts still tell where it ended.
 *
 * Overrides the stream's own `push`, since the parser's record callback builds two objects per record for
 * counts that are at hand: a quarter of the time of reading. Nothing is ever readable from the stream.
 */
class RecordParser extends Parser {
  /** A throw would leave the stream half written: kept for the write or end that caused it. */
  refusal: unknown = null;

  constructor(
    options: Options,
    private readonly onRecord: (cells: string[]) => void,
  ) {
    super(options);
  }

  override push(record: unknown): boolean {
    if (record === null) return super.push(null);
    try {
      if (this.refusal === null) this.onRecord(record as string[]);
    } catch (error) {
      this.refusal = error;
    }
    return true;
  }
}

/** The parser, fed one chunk at a time so that it never runs ahead of who reads the rows. */
class CsvBody {
  private rows: InputRow[] = [];
  private readonly lines: CsvLines;
  private readonly parser: RecordParser;
  /** What our line count is ahead of the parser's. */
  private lineShift: number;

  constructor(
    private readonly head: CsvHead,
    private readonly reading: RowReading,
    line: number,
    private rowIndex: number,
  ) {
    this.lines = new CsvLines(line, head.lineBreak);
    this.lineShift = line - 1;
    const options: Options = {
      delimiter: head.delimiter,
      record_delimiter: recordDelimiters(head.lineBreak),
      skip_empty_lines: true,
      relax_column_count: true,
      relax_quotes: reading.lenient,
      max_record_size: MAX_RECORD_BYTES,
    };
    this.parser = new RecordParser(options, (cells) => {
      const { bytes, lines } = this.parser.info;
      const start = this.lines.recordEndingAt(bytes);
      this.lineShift = this.lines.currentLine - 1 - lines;
      this.take(cells, start);
    });
    // Failures reach the callback of the write that caused them.
    this.parser.on("error", () => undefined);
  }

  async write(chunk: Buffer): Promise<InputRow[]> {
    this.lines.feed(chunk);
    await this.settled((done) => this.parser.write(chunk, done));
    this.lines.settle();
    return this.taken();
  }

  async end(): Promise<InputRow[]> {
    try {
      await this.settled((done) => this.parser.end(done));
    } catch (error) {
      if (!(error instanceof UnclosedQuote && this.reading.lenient)) throw error;
      this.push(error.recordLine, new RowValues(), rowProblem(error.code, error.message));
    }
    return this.taken();
  }

  private settled(step: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      step((error) => {
        const { refusal } = this.parser;
        if (refusal !== null) reject(refusal);
        else if (error) reject(error instanceof CsvError ? this.failure(error) : error);
        else resolve();
      });
    });
  }

  private taken(): InputRow[] {
    const { rows } = this;
    this.rows = [];
    return rows;
  }

  private take(cells: string[], line: number): void {
    const { columns } = this.head;
    if (cells.length === columns.length) {
      if (this.rowIndex > this.reading.afterRow) this.push(line, valuesOfCells(columns, cells));
      else this.rowIndex++;
      return;
    }
    const where = place(this.reading.path, line);
    if (!this.reading.lenient) throw cellCountFailure(where, cells.length, this.head);
    const marked = rowProblem("cell_count", cellCountText(where, cells.length, columns.length));
    this.push(line, valuesOfCells(columns, cells), marked);
  }

  private push(line: number, values: RowValues, marked?: RowError): void {
    const rowIndex = this.rowIndex++;
    if (rowIndex <= this.reading.afterRow) return;
    this.rows.push(
      marked === undefined ? { rowIndex, line, values } : { rowIndex, line, values, problem: marked },
    );
  }

  private failure(error: CsvError): Error {
    const { path } = this.reading;
    if (error.code === "CSV_QUOTE_NOT_CLOSED") {
      const { line, quoteLine } = this.lines.unfinished();
      return new UnclosedQuote(path, line, quoteLine);
    }
    if (error.code === "CSV_MAX_RECORD_SIZE") return recordTooLarge(path, this.lines.unfinished().line);
    const line = (typeof error["lines"] === "number" ? error["lines"] : 1) + this.lineShift;
    return strayQuoteFailure(path, line, error);
  }
}
