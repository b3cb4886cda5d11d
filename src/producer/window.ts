/** Characters of payload in the queue at most: some 64 MB, unless one row alone has more. */
const MAX_CHARACTERS = 64_000_000;

/**
 * How much may be in the queue at once: so many rows, and so many characters of their payloads, since one
 * row may hold pictures of several megabytes. Keeps memory, here and in the queue server, independent of the
 * input's size.
 */
export class Window {
  readonly size: number;
  readonly maxCharacters: number;
  #rows = 0;
  #characters = 0;
  #closed = false;
  #waiting: (() => void) | null = null;

  constructor(size: number, maxCharacters = MAX_CHARACTERS) {
    this.size = size;
    this.maxCharacters = maxCharacters;
  }

  get free(): number {
    return this.size - this.#rows;
  }

  take(rows: number, characters: number): void {
    this.#rows += rows;
    this.#characters += characters;
  }

  release(rows: number, characters: number): void {
    this.#rows = Math.max(0, this.#rows - rows);
    this.#characters = Math.max(0, this.#characters - characters);
    this.#waiting?.();
  }

  hasRoom(rows: number, characters: number): boolean {
    const isFull =
      this.free < Math.min(rows, this.size) ||
      this.maxCharacters - this.#characters < Math.min(characters, this.maxCharacters);
    return !isFull || this.#closed;
  }

  /** Resolves when there is room for so much, or the window is closed. One caller at a time. */
  async room(rows: number, characters: number): Promise<void> {
    while (!this.hasRoom(rows, characters)) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
      this.#waiting = null;
    }
  }

  /** Resolves when a row is released or the window closed, at the latest after so many milliseconds. */
  async nextRelease(ms: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#waiting = null;
  }

  /** Lets the one who waits for room go: no more rows are wanted. */
  close(): void {
    this.#closed = true;
    this.#waiting?.();
  }
}

/**
 * Rows in the queue when nothing else is said: what is called, and as many behind; filling it takes time from the
 * first calls.
 */
export function defaultWindow(concurrency: number): number {
  return Math.max(2_000, 2 * concurrency);
}
