/** An unbiased sample of a stream, of at most `size` items (reservoir sampling), the same for the same input. */
export class Sample<T> {
  readonly #size: number;
  readonly #items: T[] = [];
  #seen = 0;
  #random: number;

  constructor(size: number, seed = 1) {
    this.#size = size;
    this.#random = seed;
  }

  /** Items offered so far. */
  get seen(): number {
    return this.#seen;
  }

  get items(): readonly T[] {
    return this.#items;
  }

  /** `make` is called only for an item that is taken. */
  offer(make: () => T): void {
    this.#seen++;
    if (this.#items.length < this.#size) {
      this.#items.push(make());
      return;
    }
    const at = Math.floor(this.#next() * this.#seen);
    if (at < this.#size) this.#items[at] = make();
  }

  /** Mulberry32: even, small, and the same everywhere. */
  #next(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** A figure that is not known exactly. */
export interface Range {
  readonly low: number;
  readonly likely: number;
  readonly high: number;
}

/** Standard errors within which the true mean nearly always (99%) is. */
const Z = 2.58;

/**
 * The mean of all items from a sample of them; exact when the sample is all there is. With a single value
 * out of many nothing is known about the spread: half to double.
 */
export function meanOf(values: readonly number[], population: number): Range {
  const count = values.length;
  if (count === 0) return { low: 0, likely: 0, high: 0 };
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count >= population) return { low: mean, likely: mean, high: mean };
  if (count === 1) return { low: mean / 2, likely: mean, high: mean * 2 };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const finite = Math.sqrt((population - count) / Math.max(1, population - 1));
  const error = Z * Math.sqrt(variance / count) * finite;
  return { low: Math.max(0, mean - error), likely: mean, high: mean + error };
}

export function times(range: Range, factor: number | Range): Range {
  const by = typeof factor === "number" ? { low: factor, likely: factor, high: factor } : factor;
  return { low: range.low * by.low, likely: range.likely * by.likely, high: range.high * by.high };
}

export function rounded({ low, likely, high }: Range): Range {
  return { low: Math.floor(low), likely: Math.round(likely), high: Math.ceil(high) };
}
