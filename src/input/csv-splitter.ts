import { isAscii, transcode } from "node:buffer";
import type { CsvHead } from "./csv-head.js";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const QUOTE = 34;

/** UTF-16 units of the longest record split here; one has at most 3 bytes, far from the parser's 64 MB. */
const MAX_PLAIN_RECORD = 1024 * 1024;

/** Stands for a position that a search did not find: beyond the length of any string. */
const NOWHERE = 0x3fff_ffff;

/** What reading a record returns when it is not the position after it. */
const UNFINISHED = -1;
const ODD = -2;

/** Takes each record: its cells, and the 1-based physical line on which it starts. */
export type TakeRecord = (cells: string[], line: number) => void;

/** A splitter for the body of a CSV from `line` on, or null where all of it is for the parser to read. */
export function splitterFor(
  head: CsvHead,
  line: number,
  onRecord: TakeRecord,
  maxRecord = MAX_PLAIN_RECORD,
): CsvSplitter | null {
  const { delimiter, lineBreak } = head;
  // A lone surrogate would be found in no text, but its bytes, those of U+FFFD, would be found by the parser.
  const isOneUnit = delimiter.length === 1 && /[^"\r\n\p{Surrogate}]/u.test(delimiter);
  return isOneUnit && lineBreak === LINE_FEED ? new CsvSplitter(delimiter, line, onRecord, maxRecord) : null;
}

/**
 * Splits plain CSV records by searching the text for quotes, delimiters and line feeds, each found once.
 *
 * Plain is what is read in one way only: cells without a quote, and quoted cells with nothing between the
 * closing quote and the delimiter or line break. At the first record that is anything else, or that is longer
 * than 1 MB, or that the input ends in, it stops for good and gives that record's bytes back.
 */
export class CsvSplitter {
  /** What is not split yet; starts with a record. */
  private text = "";
  /** Length of the text at which a begun record is looked at again: twice that of last time, to stay linear. */
  private wanted = 0;
  /** Next of each at or after the cell at hand; searched again only when passed. */
  private quoteAt = 0;
  private delimiterAt = 0;
  private breakAt = 0;
  /** Of the record at hand. */
  private cells: string[] = [];
  private innerBreaks = 0;
  private readonly delimiterUnit: number;

  constructor(
    private readonly delimiter: string,
    /** Physical line of the next record; of the bytes that are given back. */
    public line: number,
    private readonly onRecord: TakeRecord,
    private readonly maxRecord: number,
  ) {
    this.delimiterUnit = delimiter.charCodeAt(0);
  }

  /**
   * Takes a chunk of valid UTF-8 that ends on a whole character. Returns null, or the bytes from the first
   * record on that is not plain: those and all later chunks are for the parser. Throws what `onRecord` throws.
   */
  write(chunk: Buffer): Buffer | null {
    this.text += textOf(chunk);
    return this.text.length < this.wanted ? null : this.split();
  }

  /** Returns the bytes of a last record without a line break, or null when there is none. */
  end(): Buffer | null {
    return this.split() ?? (this.text === "" ? null : this.bytesFrom(0));
  }

  private split(): Buffer | null {
    this.quoteAt = this.delimiterAt = this.breakAt = -1;
    let start = this.afterBlankLines(0);
    for (;;) {
      const end = this.readRecord(start);
      if (end === UNFINISHED) break;
      if (end === ODD || end - start > this.maxRecord) return this.bytesFrom(start);
      this.onRecord(this.cells, this.line);
      this.line += this.innerBreaks + 1;
      start = this.afterBlankLines(end);
    }
    this.text = this.text.slice(start);
    this.wanted = 2 * this.text.length;
    return this.text.length > this.maxRecord ? this.bytesFrom(0) : null;
  }

  private bytesFrom(start: number): Buffer {
    return Buffer.from(this.text.slice(start), "utf8");
  }

  private afterBlankLines(start: number): number {
    const { text } = this;
    for (let at = start; ; this.line++) {
      if (text.charCodeAt(at) === LINE_FEED) at++;
      else if (text.charCodeAt(at) === CARRIAGE_RETURN && text.charCodeAt(at + 1) === LINE_FEED) at += 2;
      else return at;
    }
  }

  /** Returns the position after the record's line break, {@link UNFINISHED} or {@link ODD}. */
  private readRecord(start: number): number {
    const { text } = this;
    // Nearly a blank line: left to the parser, whose line count has rules of its own for it.
    if (text.charCodeAt(start) === CARRIAGE_RETURN) return start + 1 === text.length ? UNFINISHED : ODD;
    this.cells = [];
    this.innerBreaks = 0;
    for (let from = start; ;) {
      if (this.quoteAt < from) this.quoteAt = find(text, '"', from);
      if (this.breakAt < from) this.breakAt = find(text, "\n", from);
      if (this.quoteAt === from) {
        const closing = this.readQuotedCell(from);
        if (closing === UNFINISHED) return UNFINISHED;
        if (text.charCodeAt(closing + 1) !== this.delimiterUnit) return this.lineBreakEnd(closing + 1);
        from = closing + 2;
        continue;
      }
      if (this.delimiterAt < from) this.delimiterAt = find(text, this.delimiter, from);
      const end = Math.min(this.delimiterAt, this.breakAt);
      if (this.quoteAt < end) return ODD;
      if (end === NOWHERE) return UNFINISHED;
      const endsRecord = end === this.breakAt;
      const crlf = endsRecord && end > from && text.charCodeAt(end - 1) === CARRIAGE_RETURN;
      this.cells.push(ownText(text.slice(from, crlf ? end - 1 : end)));
      from = end + 1;
      if (endsRecord) return from;
    }
  }

  /** Returns the position of the closing quote, or {@link UNFINISHED}. */
  private readQuotedCell(opening: number): number {
    const { text } = this;
    let closing = find(text, '"', opening + 1);
    let doubled = false;
    while (text.charCodeAt(closing + 1) === QUOTE) {
      doubled = true;
      closing = find(text, '"', closing + 2);
    }
    if (closing === NOWHERE) return UNFINISHED;
    while (this.breakAt < closing) {
      this.innerBreaks++;
      this.breakAt = find(text, "\n", this.breakAt + 1);
    }
    const cell = text.slice(opening + 1, closing);
    this.cells.push(ownText(doubled ? cell.replaceAll('""', '"') : cell));
    return closing;
  }

  /** Where the line break ends that has to be at this position, after a closing quote. */
  private lineBreakEnd(at: number): number {
    const { text } = this;
    const feed = text.charCodeAt(at) === CARRIAGE_RETURN ? at + 1 : at;
    if (feed >= text.length) return UNFINISHED;
    return text.charCodeAt(feed) === LINE_FEED ? feed + 1 : ODD;
  }
}

/** What `toString("utf8")` gives for valid UTF-8, which for other than ASCII takes several times as long. */
function textOf(chunk: Buffer): string {
  return isAscii(chunk) ? chunk.toString("latin1") : transcode(chunk, "utf8", "utf16le").toString("utf16le");
}

function find(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at === -1 ? NOWHERE : at;
}

/**
 * The cell as a string of its own: a slice would keep the chunk it is cut from in memory, 60 KB for an id, and
 * a replacement is joined from slices. Slicing a joined string copies it first; up to 12 units all are copied.
 */
function ownText(cell: string): string {
  return cell.length <= 12 ? cell : ` ${cell}`.slice(1);
}
