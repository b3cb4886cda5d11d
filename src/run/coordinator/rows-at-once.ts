import type { InputRow } from "../../input/row.js";
import type { ResolvedJob } from "../../job/resolved-job.js";
import type { JournalEvent } from "../../protocol/events.js";
import type { Result, RowError } from "../../types.js";
import { rejectedResult } from "../rejected-result.js";

const BATCH = 100;

/** Rows that have their result without a call: gathered, and written together. */
export class RowsAtOnce {
  readonly #record: (events: readonly JournalEvent[]) => void;
  #events: JournalEvent[] = [];
  #isFlushing = false;

  constructor(record: (events: readonly JournalEvent[]) => void) {
    this.#record = record;
  }

  settle(result: Result): void {
    this.#events.push({ event: "settled", billing: "free", ...result });
    if (this.#events.length >= BATCH) this.flush();
    else this.#flushSoon();
  }

  reject(row: InputRow, error: RowError, job: ResolvedJob): void {
    this.settle(rejectedResult(row, error, job));
  }

  flush(): void {
    const events = this.#events;
    this.#events = [];
    this.#record(events);
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.flush();
    });
  }
}
