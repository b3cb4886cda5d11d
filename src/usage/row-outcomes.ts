/** Rows per chunk: small enough that a short run costs little, large enough to keep few chunks. */
const CHUNK_ROWS = 16_384;

/** What a row's standing result was counted as. */
export interface RowOutcome {
  /** Index of the bucket; at most 2^24 - 2. */
  readonly bucket: number;
  /** 0: succeeded, else 1 + index of the failure's kind; at most 255. */
  readonly outcome: number;
}

/** Remembers each row's standing outcome in four bytes, so that one that is replaced can be taken out of the counts it was in. */
export class RowOutcomes {
  readonly #chunks = new Map<number, Uint32Array>();

  /** Stores a row's outcome and returns the one before; null when there was none. */
  replace(rowIndex: number, next: RowOutcome): RowOutcome | null {
    const chunk = this.#chunk(Math.floor(rowIndex / CHUNK_ROWS));
    const at = rowIndex % CHUNK_ROWS;
    const before = chunk[at] ?? 0;
    chunk[at] = ((next.bucket + 1) << 8) | next.outcome;
    return before === 0 ? null : { bucket: (before >>> 8) - 1, outcome: before & 0xff };
  }

  clear(): void {
    this.#chunks.clear();
  }

  #chunk(index: number): Uint32Array {
    let chunk = this.#chunks.get(index);
    if (!chunk) this.#chunks.set(index, (chunk = new Uint32Array(CHUNK_ROWS)));
    return chunk;
  }
}
