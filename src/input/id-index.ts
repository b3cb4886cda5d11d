const PARTITIONS = 64;
const FIRST_CAPACITY = 64;
const MAX_LOAD = 0.8;
const GROWTH = 1.5;
const WORDS = 3;
/** Shared, as an array of its own per row is a third of the time of adding it. */
const NO_ROWS: readonly number[] = [];

/** Two independent 32-bit hashes of a text, mixed so that every bit depends on every character. */
function hashPair(text: string, into: Uint32Array): void {
  let a = 0x9e3779b9 ^ text.length;
  let b = 0x85ebca6b;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    a = Math.imul(a ^ unit, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b + unit, 0xcc9e2d51);
    b = (b << 13) | (b >>> 19);
  }
  a = Math.imul(a ^ (a >>> 16) ^ b, 0x7feb352d);
  b = Math.imul(b ^ (b >>> 15) ^ a, 0x846ca68b);
  a ^= a >>> 15;
  b ^= b >>> 16;
  into[0] = a;
  into[1] = b;
}

/** Open addressing. A slot is three words: both hashes, and the row number plus one (zero: free). */
class Partition {
  private slots = new Uint32Array(FIRST_CAPACITY * WORDS);
  private capacity = FIRST_CAPACITY;
  private used = 0;

  insert(a: number, b: number, rowIndex: number): readonly number[] {
    if (this.used + 1 > this.capacity * MAX_LOAD) this.grow();
    let equals = NO_ROWS;
    let at = this.home(b);
    while (this.slots[at + 2] !== 0) {
      if (this.slots[at] === a && this.slots[at + 1] === b) {
        equals = [...equals, (this.slots[at + 2] as number) - 1];
      }
      at = this.after(at);
    }
    this.fill(at, a, b, rowIndex + 1);
    return equals;
  }

  private home(b: number): number {
    return Math.floor((b / 0x1_0000_0000) * this.capacity) * WORDS;
  }

  private after(at: number): number {
    const next = at + WORDS;
    return next === this.slots.length ? 0 : next;
  }

  private fill(at: number, a: number, b: number, owner: number): void {
    this.slots[at] = a;
    this.slots[at + 1] = b;
    this.slots[at + 2] = owner;
    this.used++;
  }

  private grow(): void {
    const old = this.slots;
    this.capacity = Math.ceil(this.capacity * GROWTH);
    this.slots = new Uint32Array(this.capacity * WORDS);
    this.used = 0;
    for (let from = 0; from < old.length; from += WORDS) {
      const owner = old[from + 2] as number;
      if (owner === 0) continue;
      const b = old[from + 1] as number;
      let at = this.home(b);
      while (this.slots[at + 2] !== 0) at = this.after(at);
      this.fill(at, old[from] as number, b, owner);
    }
  }
}

/**
 * Remembers which ids were seen, in 15 to 23 bytes per row however long the ids are.
 *
 * It keeps 64-bit hashes only, so an answer is a suspicion: the caller compares the ids themselves. Parted
 * in 64 tables that grow one at a time, so that growing never doubles the whole. Row numbers below 2^32 - 1.
 */
export class IdIndex {
  private readonly partitions = Array.from({ length: PARTITIONS }, () => new Partition());
  private readonly pair = new Uint32Array(2);

  /** `hash` writes 64 bits into its second argument; a test gives one that collides. */
  constructor(private readonly hash: (text: string, into: Uint32Array) => void = hashPair) {}

  /** Adds a row's id. Returns the earlier rows whose ids have the same hash: none, nearly always. */
  add(id: string, rowIndex: number): readonly number[] {
    this.hash(id, this.pair);
    const a = this.pair[0] as number;
    const partition = this.partitions[a % PARTITIONS] as Partition;
    return partition.insert(a, this.pair[1] as number, rowIndex);
  }
}
