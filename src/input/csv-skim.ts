const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const QUOTE = 34;
const SPACE = 32;
const TAB = 9;

/**
 * Passes over a number of CSV records without parsing them, by counting line breaks outside of quotes.
 *
 * Only for a body that was read strictly before: there every quote belongs to a quoted cell, so that an
 * even count of them means outside. Blank lines are no records, as in reading, nor with `blankDelimiter` (a
 * byte of ASCII) are those of blank cells.
 */
export class CsvSkimmer {
  private quoted = false;
  private previous = LINE_FEED;
  /** The current line, or record, has bytes beside its line break, that make it a row. */
  private hasBytes = false;

  constructor(
    private remaining: number,
    /** 1-based line at which the body starts; moves on to where reading goes on. */
    public line: number,
    private readonly lineBreak: number,
    private readonly blankDelimiter: number | null,
  ) {}

  /** Returns the index after the last record to skip, or -1 when the chunk is skipped whole. */
  skim(chunk: Buffer): number {
    if (this.remaining === 0) return 0;
    const { lineBreak } = this;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte === lineBreak) {
        this.line++;
        if (!this.quoted) {
          if (this.hasBytes) this.remaining--;
          this.hasBytes = false;
          this.previous = byte;
          if (this.remaining === 0) return at + 1;
          continue;
        }
      } else if (byte === QUOTE) this.quoted = !this.quoted;
      // A carriage return is part of the line break only if the line feed follows.
      if (this.previous === CARRIAGE_RETURN || (byte !== CARRIAGE_RETURN && !this.isBlank(byte)))
        this.hasBytes = true;
      this.previous = byte;
    }
    return -1;
  }

  /** Whether the byte says nothing, as part of a blank cell or between two. */
  private isBlank(byte: number): boolean {
    if (this.blankDelimiter === null) return false;
    if (byte === SPACE || byte === TAB) return true;
    if (byte === this.blankDelimiter) return !this.quoted;
    // A quote that opens right behind a closing one is a doubled one: text.
    return byte === QUOTE && !(this.quoted && this.previous === QUOTE);
  }
}
