/** A call that waits for its start. */
export interface Waiter {
  /** Tokens that it is likely to use, as far as is known now. */
  readonly cost: () => number;
  /** Tokens that its slot was reserved for. */
  reserved: number;
  /** When its slot begins; null: it has none. */
  due: number | null;
  readonly go: () => void;
}

/** Timers are late rather than early; a slot within this time is due, milliseconds. */
const PRECISION_MS = 0.5;
/**
 * Calls that a busy process starts late are not all started at once: they catch up, each at this part of
 * its distance from the one before. Distances that timers cannot keep are left as they are, milliseconds.
 */
const CATCH_UP = 0.9;
const LEAST_DISTANCE_MS = 10;

/** Calls in the order in which they came, the first of them with slots, each started when its slot begins. */
export class SlotQueue {
  readonly #now: () => number;
  #waiters: Waiter[] = [];
  #reserved = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last call with a slot: when it was to start, and when it did. */
  #last = { due: 0, at: 0 };

  constructor(now: () => number) {
    this.#now = now;
  }

  get length(): number {
    return this.#waiters.length;
  }

  get unreserved(): number {
    return this.#waiters.length - this.#reserved;
  }

  /** When the last reserved slot begins; in the past when there is none. */
  get lastDue(): number {
    return this.#waiters[this.#reserved - 1]?.due ?? Number.NEGATIVE_INFINITY;
  }

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  remove(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index < 0) return;
    this.#waiters.splice(index, 1);
    if (waiter.due !== null) this.#reserved -= 1;
  }

  firstUnreserved(most: number): Waiter[] {
    return this.#waiters.slice(this.#reserved, this.#reserved + most);
  }

  /** Gives slots, ascending, to the first calls without; a call that has left meanwhile wastes its slot. */
  reserve(waiters: readonly Waiter[], dues: readonly number[]): void {
    for (const [index, waiter] of waiters.entries()) {
      if (this.#waiters[this.#reserved] !== waiter) continue;
      waiter.due = dues[index] ?? null;
      if (waiter.due !== null) this.#reserved += 1;
    }
    this.#arm();
  }

  /** Takes all slots back. */
  unreserve(): void {
    for (const waiter of this.#waiters.slice(0, this.#reserved)) waiter.due = null;
    this.#reserved = 0;
    clearTimeout(this.#timer);
  }

  /** Starts the first call without a slot. */
  startFirst(): void {
    this.#waiters.shift()?.go();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const start = this.#firstStart();
    if (start === null) return;
    this.#timer = setTimeout(() => this.#startDue(), Math.max(0, start - this.#now()));
  }

  /** When the first call with a slot may start; null when there is none. */
  #firstStart(): number | null {
    const due = this.#waiters[0]?.due ?? null;
    if (due === null) return null;
    const distance = due - this.#last.due;
    if (distance < LEAST_DISTANCE_MS) return due;
    return Math.max(due, this.#last.at + distance * CATCH_UP);
  }

  #startDue(): void {
    for (;;) {
      const now = this.#now();
      const start = this.#firstStart();
      if (start === null || start > now + PRECISION_MS) break;
      const waiter = this.#waiters.shift();
      this.#reserved -= 1;
      this.#last = { due: waiter?.due ?? 0, at: now };
      waiter?.go();
    }
    this.#arm();
  }
}
