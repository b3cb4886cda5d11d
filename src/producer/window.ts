/**
 * How many rows may be in the queue at once. Keeps memory, here and in the queue server, independent of
 * the input's size.
 */
export class Window {
  readonly size: number;
  #taken = 0;
  #closed = false;
  #waiting: (() => void) | null = null;

  constructor(size: number) {
    this.size = size;
  }

  get free(): number {
    return this.size - this.#taken;
  }

  take(rows: number): void {
    this.#taken += rows;
  }

  release(rows: number): void {
    this.#taken = Math.max(0, this.#taken - rows);
    this.#waiting?.();
  }

  /** Resolves when at least `rows` are free, or the window is closed. One caller at a time. */
  async room(rows: number): Promise<void> {
    const needed = Math.min(rows, this.size);
    while (this.free < needed && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
      this.#waiting = null;
    }
  }

  /** Lets the one who waits for room go: no more rows are wanted. */
  close(): void {
    this.#closed = true;
    this.#waiting?.();
  }
}

/** Rows in the queue when nothing else is said: enough for the workers' next ten rounds. */
export function defaultWindow(concurrency: number): number {
  return Math.max(2_000, 10 * concurrency);
}
