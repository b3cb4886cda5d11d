/**
 * So many calls at once, in the order in which they ask. As p-limit, but that a free slot costs nothing, which
 * most calls of a fast run find: no promise, no closure.
 */
export class CallSlots {
  readonly #size: number;
  #taken = 0;
  #waiting: { readonly go: () => void; readonly refuse: (reason: Error) => void }[] = [];
  #closedFor: Error | null = null;

  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  /** undefined: the slot is yours. A promise: it is once this resolves; rejects when the slots are closed. */
  take(): Promise<void> | undefined {
    if (this.#closedFor !== null) return Promise.reject(this.#closedFor);
    if (this.#taken < this.#size) {
      this.#taken++;
      return undefined;
    }
    return new Promise((go, refuse) => this.#waiting.push({ go, refuse }));
  }

  /** Passes a slot on to who waits longest. */
  giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else next.go();
  }

  /** Refuses who waits, and who comes later. Slots taken are given back as before. */
  close(reason: Error): void {
    this.#closedFor = reason;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { refuse } of waiting) refuse(reason);
  }
}
