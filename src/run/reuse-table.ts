import type { AnswerPlace, ReuseRecords } from "./reuse-index.js";

/** Share of the slots that may be taken. */
const LOAD = 0.6;

/**
 * Answers of many runs by digest: a hash table over typed arrays, some 35 bytes for each, so that a million
 * of them is no burden. Two digests that agree in eight of their bytes would share a place; whoever reads
 * the answer compares all of it.
 */
export class ReuseTable {
  readonly #slots: number;
  /** Two words of the digest for each slot. */
  readonly #keys: Uint32Array;
  /** Number of the answer, from 1; 0: free. */
  readonly #answers: Uint32Array;
  readonly #offsets: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #runs: Uint16Array;
  #count = 0;

  /** `capacity`: answers at most. */
  constructor(capacity: number) {
    this.#slots = 2 ** Math.ceil(Math.log2(Math.max(8, capacity / LOAD)));
    this.#keys = new Uint32Array(2 * this.#slots);
    this.#answers = new Uint32Array(this.#slots);
    this.#offsets = new Float64Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#runs = new Uint16Array(capacity);
  }

  get size(): number {
    return this.#count;
  }

  /** Adds a run's answers, whose number is `run`. What is there already stays: newer runs come first. */
  add(records: ReuseRecords, run: number): void {
    for (let at = 0; at < records.count && this.#count < this.#offsets.length; at++) {
      const digest = records.digest(at);
      const slot = this.#slotOf(digest);
      if (this.#answers[slot] !== 0) continue;
      const { offset, length } = records.place(at);
      this.#offsets[this.#count] = offset;
      this.#lengths[this.#count] = length;
      this.#runs[this.#count] = run;
      this.#keys[2 * slot] = digest.readUInt32LE(0);
      this.#keys[2 * slot + 1] = digest.readUInt32LE(4);
      this.#answers[slot] = ++this.#count;
    }
  }

  find(digest: Buffer): (AnswerPlace & { readonly run: number }) | null {
    const answer = (this.#answers[this.#slotOf(digest)] ?? 0) - 1;
    if (answer < 0) return null;
    return {
      run: this.#runs[answer] ?? 0,
      offset: this.#offsets[answer] ?? 0,
      length: this.#lengths[answer] ?? 0,
    };
  }

  /** The slot that has the digest, or the free one where it belongs. */
  #slotOf(digest: Buffer): number {
    const first = digest.readUInt32LE(0);
    const second = digest.readUInt32LE(4);
    let slot = first % this.#slots;
    while (
      this.#answers[slot] !== 0 &&
      (this.#keys[2 * slot] !== first || this.#keys[2 * slot + 1] !== second)
    )
      slot = (slot + 1) % this.#slots;
    return slot;
  }
}
