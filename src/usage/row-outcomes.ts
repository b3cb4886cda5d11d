/** Rows per chunk: small enough that a short run costs little, large enough to keep few chunks. */
const CHUNK_ROWS = 16_384;
const FIELDS = 2;

/** What a row's standing result was counted as. */
export interface RowOutcome {
  /** Index of the bucket; at most 2^24 - 2. */
  readonly bucket: number;
  /** 0: succeeded, else 1 + index of the failure's kind; at most 255. */
  readonly outcome: number;
  /** When it was settled, in milliseconds; kept modulo 2^32. */
  readonly finishedAtMs: number;
}

/**
 * Remembers each row's standing outcome in eight bytes, so that a retried row can be taken out of the
 * counts it was in, and a line that stands in the journal twice is seen.
 */
export class RowOutcomes {
  readonly #chunks = new Map<number, Uint32Array>();

  /**
   * Stores a row's outcome and returns the one before, null when there was none, or "same" when this very
   * outcome is the one already stored.
   */
  replace(rowIndex: number, next: RowOutcome): Omit<RowOutcome, "finishedAtMs"> | "same" | null {
    const chunk = this.#chunk(Math.floor(rowIndex / CHUNK_ROWS));
    const at = (rowIndex % CHUNK_ROWS) * FIELDS;
    const packed = (((next.bucket + 1) << 8) | next.outcome) >>> 0;
    const time = next.finishedAtMs >>> 0;
    const before = chunk[at] ?? 0;
    if (before === packed && chunk[at + 1] === time) return "same";
    chunk[at] = packed;
    chunk[at + 1] = time;
    return before === 0 ? null : { bucket: (before >>> 8) - 1, outcome: before & 0xff };
  }

  #chunk(index: number): Uint32Array {
    let chunk = this.#chunks.get(index);
    if (!chunk) this.#chunks.set(index, (chunk = new Uint32Array(CHUNK_ROWS * FIELDS)));
    return chunk;
  }
}
