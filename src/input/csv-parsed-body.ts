import type { Options } from "csv-parse";
import { CsvError, Parser } from "csv-parse";
import { strayQuoteFailure, UnclosedQuote } from "./csv-failures.js";
import type { CsvHead } from "./csv-head.js";
import { recordDelimiters } from "./csv-head.js";
import { CsvLines } from "./csv-lines.js";
import type { RecordRows } from "./csv-record-rows.js";
import { MAX_RECORD_BYTES, recordTooLarge, rowProblem } from "./input-error.js";
import type { RowReading } from "./row-batches.js";

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

/** Reads records with the parser, fed one chunk at a time so that it never runs ahead of who reads the rows. */
export class ParsedBody {
  private readonly lines: CsvLines;
  private readonly parser: RecordParser;
  /** What our line count is ahead of the parser's. */
  private lineShift: number;

  /** `line` is the physical line of the first byte that will be written, which starts a record. */
  constructor(
    head: CsvHead,
    private readonly reading: RowReading,
    line: number,
    private readonly rows: RecordRows,
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
      this.rows.take(cells, start);
    });
    // Failures reach the callback of the write that caused them.
    this.parser.on("error", () => undefined);
  }

  async write(chunk: Buffer): Promise<void> {
    this.lines.feed(chunk);
    await this.settled((done) => this.parser.write(chunk, done));
    this.lines.settle();
  }

  async end(): Promise<void> {
    try {
      await this.settled((done) => this.parser.end(done));
    } catch (error) {
      if (!(error instanceof UnclosedQuote && this.reading.lenient)) throw error;
      this.rows.takeMarked(error.recordLine, rowProblem(error.code, error.message));
    }
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
