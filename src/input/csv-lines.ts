const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const QUOTE = 34;

/** Bytes that the parser may hold back for look-ahead; twice what it needs (a few bytes). */
const LOOK_AHEAD_BYTES = 16;

/**
 * Tells on which physical line a CSV record starts, from the byte offsets at which the parser says records
 * end. (The parser's own line count takes a CRLF inside quotes for two lines.)
 *
 * Feed every chunk before the parser sees it and `settle` after. Holds one chunk.
 */
export class CsvLines {
  private window: Buffer = Buffer.alloc(0);
  /** Offset of the window's first byte in the body. */
  private windowStart = 0;
  private cursor = 0;
  private recordLine = 0;
  private quoted = false;
  private quoteLine = 0;

  /** `line` is the 1-based line at which the body starts. */
  constructor(
    private line: number,
    private readonly lineBreak: number,
  ) {}

  feed(chunk: Buffer): void {
    const kept = this.window.subarray(this.cursor - this.windowStart);
    this.window = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    this.windowStart = this.cursor;
  }

  /** The start line of the record that ends before body offset `end`; records come in order. */
  recordEndingAt(end: number): number {
    this.scanTo(end);
    const start = this.recordLine === 0 ? this.line : this.recordLine;
    this.recordLine = 0;
    this.quoted = false;
    return start;
  }

  /** Call when the parser has taken the chunk. */
  settle(): void {
    const end = this.windowStart + this.window.length - LOOK_AHEAD_BYTES;
    if (end > this.cursor) this.scanTo(end);
  }

  /** At the end of the input: where the last, unfinished record starts and where its open quote stands. */
  unfinished(): { line: number; quoteLine: number } {
    this.scanTo(this.windowStart + this.window.length);
    return { line: this.recordLine, quoteLine: this.quoteLine };
  }

  /** The line that follows the last record that ended. */
  get currentLine(): number {
    return this.line;
  }

  private scanTo(end: number): void {
    const { window, lineBreak } = this;
    const stop = end - this.windowStart;
    for (let at = this.cursor - this.windowStart; at < stop; at++) {
      const byte = window[at] as number;
      if (this.recordLine === 0 && byte !== LINE_FEED && byte !== CARRIAGE_RETURN) {
        this.recordLine = this.line;
      }
      if (byte === lineBreak) this.line++;
      else if (byte === QUOTE) {
        this.quoted = !this.quoted;
        if (this.quoted) this.quoteLine = this.line;
      }
    }
    this.cursor = end;
  }
}
