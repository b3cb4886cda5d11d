import { open, type FileHandle } from "node:fs/promises";
import { HaltError } from "../errors.js";
import type { Result } from "../types.js";
import { LineBuffer } from "./line-buffer.js";

/** A journal line that is not a row's result: rows that were taken back for another try. */
export interface RetryEvent {
  readonly event: "retry";
  readonly at: string;
  readonly rowIndexes: readonly number[];
}

/** A journal line for an answer to a row that had one: its tokens are owed, it does not stand. */
export interface ExtraEvent {
  readonly event: "extra";
  readonly result: Result;
}

export type JournalEntry = Result | RetryEvent | ExtraEvent;

/** One durable line: what was written and where it stands in the file. */
export interface DurableLine {
  readonly entry: Result | ExtraEvent;
  /** Byte position of the line in the file. */
  readonly offset: number;
  /** Bytes, without the newline. */
  readonly length: number;
}

/**
 * The append-only truth of a run.
 *
 * Lines gather while a flush is under way and go to disk together: one write and one `fdatasync` for all
 * of them. `onDurable` is called, in order, with lines that are on disk.
 *
 * A write that fails (a full disk) is cut off again so that no half line stays, and ends the journal:
 * `failure` holds the HaltError, `onFailure` is told, and later appends are refused.
 */
export class Journal {
  readonly #file: FileHandle;
  readonly #onDurable: (lines: DurableLine[]) => void;
  readonly #onFailure: (error: HaltError) => void;
  #size: number;
  #pending: (Result | ExtraEvent)[] = [];
  /** Of one flush after the other. */
  readonly #text = new LineBuffer();
  #flushing: Promise<void> | null = null;
  #failure: HaltError | null = null;

  private constructor(
    file: FileHandle,
    size: number,
    onDurable: (lines: DurableLine[]) => void,
    onFailure: (error: HaltError) => void,
  ) {
    this.#file = file;
    this.#size = size;
    this.#onDurable = onDurable;
    this.#onFailure = onFailure;
  }

  /** Opens for appending at `size`: what stands behind it, a line torn by a crash, is cut off. */
  static async open(
    path: string,
    size: number,
    onDurable: (lines: DurableLine[]) => void,
    onFailure: (error: HaltError) => void,
  ): Promise<Journal> {
    const file = await open(path, "a", 0o600);
    await file.truncate(size);
    return new Journal(file, size, onDurable, onFailure);
  }

  get failure(): HaltError | null {
    return this.#failure;
  }

  append(entry: Result | ExtraEvent): void {
    if (this.#failure !== null) return; // the queue still holds it; a resume will find it there
    this.#pending.push(entry);
    this.#flushing ??= this.#flush();
  }

  /** Appends a line that is not a result, on its own and at once. For use while nothing runs. */
  async appendEvent(event: RetryEvent): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    await this.#write(line);
    this.#size += line.length;
  }

  /** Resolves when all that was appended is on disk, or the journal has failed. */
  async drain(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
  }

  async close(): Promise<void> {
    await this.drain();
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    // Let everything that settles in this turn of the event loop share the flush.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending.length > 0 && this.#failure === null) {
      const entries = this.#pending;
      this.#pending = [];
      const lines: DurableLine[] = [];
      const text = this.#text;
      text.clear();
      for (const entry of entries) {
        const offset = this.#size + text.length;
        lines.push({ entry, offset, length: text.add(JSON.stringify(entry)) });
      }
      try {
        await this.#write(text.bytes);
        this.#size += text.length;
      } catch (error) {
        this.#failure = error as HaltError;
        this.#onFailure(this.#failure);
        break;
      }
      this.#onDurable(lines);
    }
    this.#flushing = null;
  }

  async #write(data: Buffer): Promise<void> {
    try {
      let written = 0;
      while (written < data.length) {
        written += (await this.#file.write(data, written)).bytesWritten;
      }
      await this.#file.datasync();
    } catch (cause) {
      await this.#file.truncate(this.#size).catch(() => {}); // a half line is cut off at the next opening
      throw journalFailure(cause as NodeJS.ErrnoException);
    }
  }
}

/** No room: on the disk, in the user's quota, or within the largest size that a file may have (ulimit -f). */
const FULL_CODES: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export function isDiskFull(error: unknown): boolean {
  return FULL_CODES.has((error as NodeJS.ErrnoException).code);
}

function journalFailure(cause: NodeJS.ErrnoException): HaltError {
  const full = isDiskFull(cause);
  return new HaltError(
    full
      ? "The disk of the run directory is full: the journal could not be written."
      : `The journal could not be written: ${cause.message}.`,
    {
      code: full ? "disk_full" : "journal_write_failed",
      hint: full
        ? "Make room, then resume the run: settled rows are kept."
        : "Mend the cause, then resume the run.",
      cause,
    },
  );
}
