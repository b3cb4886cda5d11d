import { closeSync, fdatasync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { UsageError, type HaltError } from "../errors.js";
import type { LinePlace, WrittenEvent } from "../protocol/effects.js";
import { PROTOCOL_VERSION } from "../protocol/events.js";
import { syncDirectory } from "../writer/atomic-file.js";
import { journalFailure } from "./journal-failure.js";
import { journalFiles, journalName, journalOffset, MOST_FILES } from "./journal-files.js";
import { LineBuffer } from "./line-buffer.js";

/** From the end of one flush to the begin of the next. */
const LEAST_BETWEEN_MS = 3;

/**
 * The file of the journal that one coordinator appends to.
 *
 * What was written survives the death of the process; flushed, also a power cut. A write that fails (a full disk) is cut off
 * again so that no half line stays. After it, or after a failed flush, the journal has *failed*: every later write and flush
 * throws the same HaltError.
 */
export class Journal {
  /** Number of the file among those of the run's journal. */
  readonly number: number;
  readonly #file: number;
  readonly #lines = new LineBuffer();
  #size = 0;
  #flushedSize = 0;
  #flushing: Promise<void> | null = null;
  #syncedAt = -Infinity;
  #failure: HaltError | null = null;

  private constructor({ file, number }: { readonly file: number; readonly number: number }) {
    this.#file = file;
    this.number = number;
  }

  /** Makes the next file of a run's journal; its first line says whose it is. The caller has the run's lock. */
  static async create(directory: string, identity: string): Promise<Journal> {
    const journal = new Journal(createFile(directory));
    const run = { event: "run", version: PROTOCOL_VERSION, identity, at: new Date().toISOString() } as const;
    try {
      journal.write([{ event: run }]);
      await syncDirectory(directory);
      return journal;
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  get failure(): HaltError | null {
    return this.#failure;
  }

  /** Appends lines before it returns. Says where each stands. */
  write(events: readonly WrittenEvent[]): LinePlace[] {
    if (this.#failure !== null) throw this.#failure;
    const lines = this.#lines;
    lines.clear();
    const places = events.map(({ event, text }): LinePlace => {
      const offset = journalOffset(this.number, this.#size + lines.length);
      return { offset, length: lines.add(text ?? JSON.stringify(event)) };
    });
    try {
      for (let written = 0; written < lines.length;)
        written += writeSync(this.#file, lines.bytes, written, lines.length - written);
    } catch (error) {
      this.#cutOff();
      throw this.#fail(error);
    }
    this.#size += lines.length;
    return places;
  }

  /** Resolves when everything that was written before the call is on disk. Calls during a flush share the next one. */
  async flush(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const size = this.#size;
    while (this.#flushedSize < size) await (this.#flushing ??= this.#sync());
  }

  /** Flushes, unless the journal has failed, and closes the file. */
  async close(): Promise<void> {
    try {
      if (this.#failure === null) await this.flush();
      else await this.#flushing?.catch(() => {});
    } finally {
      closeSync(this.#file);
    }
  }

  /** Not again and again for a few lines each: what ends within milliseconds shares a flush. */
  async #sync(): Promise<void> {
    const restMs = this.#syncedAt + LEAST_BETWEEN_MS - performance.now();
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    const size = this.#size;
    try {
      await syncFile(this.#file);
      this.#syncedAt = performance.now();
      this.#flushedSize = size;
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#flushing = null;
    }
  }

  #fail(cause: unknown): HaltError {
    this.#failure ??= journalFailure(cause as NodeJS.ErrnoException);
    return this.#failure;
  }

  #cutOff(): void {
    try {
      ftruncateSync(this.#file, this.#size);
    } catch {
      // readers pass over a half line at the end
    }
  }
}

function syncFile(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(file, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** Another coordinator, whose lock was taken over, may make one at the same moment. */
function createFile(directory: string): { file: number; number: number } {
  for (let number = (journalFiles(directory).at(-1)?.number ?? -1) + 1; number < MOST_FILES; number++) {
    try {
      return { file: openSync(join(directory, journalName(number)), "ax", 0o600), number };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw journalFailure(error as Error);
    }
  }
  throw new UsageError(`The run in ${directory} has been resumed ${MOST_FILES} times.`, {
    code: "journal_files_exhausted",
    hint: "Start a new run that reuses its answers: promptmill run <job> --reuse <run>",
  });
}
