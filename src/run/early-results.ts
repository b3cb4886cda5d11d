import { rm, statfs } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import type { RowTable } from "../protocol/row-table.js";

/** Rows settled by this process before results are begun: fewer are written in a moment at the end. */
const WORTH_BEGINNING = 1_000;
/** Free room below which all of the disk is left to the journal. */
const MIN_FREE_BYTES = 512 * 1024 * 1024;
/** How long it is watched whether the process has time for another batch. */
const WATCH_MS = 50;
/** Share of its time that a process may be busy to be given more to do. */
const MAX_BUSY = 0.8;

/** Resolves when the rows up to this one may be written. Rejects when no more is to be. */
export type RowGate = (lastRow: number) => Promise<void>;

export interface EarlyResultsOptions<T> {
  /** A folder on the disk that is written to. */
  readonly folder: string;
  /** Files that an attempt to be early writes to, renamed when it ends well. */
  readonly partialFiles: readonly string[];
  /** Writes all rows, in order. With a gate it asks before each batch of them. */
  readonly write: (index: RowTable, gate: RowGate | null) => Promise<T>;
  /** @default 512 MB */
  readonly minFreeBytes?: number;
}

/**
 * Writes a run's result files while its rows are still being called, up to the first row that is not settled
 * yet: what is left at the end is only the last of it.
 *
 * Calls and the journal come first. A process that has no time to spare writes everything at the end, and no
 * room is taken that the journal may need: answers are paid for, results can be made again. Nor does a run fail of it:
 * whatever goes wrong early, the files are written anew at the end.
 */
export class EarlyResults<T> {
  readonly #options: EarlyResultsOptions<T>;
  #index: RowTable | null = null;
  #settled = 0;
  #writing: Promise<T | null> | null = null;
  /** All rows before it are settled. */
  #next = 0;
  #wanted = -1;
  #onReady: (() => void) | null = null;
  #onEnd: (() => void) | null = null;
  #end: "finished" | "given_up" | null = null;

  constructor(options: EarlyResultsOptions<T>) {
    this.#options = options;
  }

  /** From here on rows of this index are settled. */
  begin(index: RowTable): void {
    this.#index = index;
  }

  /** A row of the index was settled. */
  settled(): void {
    const index = this.#index;
    if (index === null) return;
    if (this.#writing !== null) {
      if (this.#onReady !== null && this.#isReady(index)) this.#onReady();
    } else if (++this.#settled === WORTH_BEGINNING) {
      const write = this.#options.write(index, (lastRow) => this.#mayWrite(index, lastRow));
      this.#writing = write.catch(() => null);
    }
  }

  /** Every row of the index is settled: resolves when the files are whole. Rejects when they cannot be written. */
  async finish(index: RowTable): Promise<T> {
    this.#stop("finished");
    const early = await this.#writing;
    if (early !== null) return early;
    await this.#removePartial();
    return await this.#options.write(index, null);
  }

  /** Not every row was settled: leaves no file behind. */
  async giveUp(): Promise<void> {
    this.#stop("given_up");
    await this.#writing;
    await this.#removePartial();
  }

  async #mayWrite(index: RowTable, lastRow: number): Promise<void> {
    this.#wanted = lastRow;
    if (this.#end === null && !this.#isReady(index)) {
      await new Promise<void>((resolve) => {
        this.#onReady = this.#onEnd = resolve;
      });
      this.#onReady = null;
    }
    while (this.#end === null && (await this.#isBusy()));
    if (this.#end === "finished") return;
    if (this.#end === "given_up") throw new Error("not every row was settled");
    const { folder, minFreeBytes = MIN_FREE_BYTES } = this.#options;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < minFreeBytes) throw new Error("room is short");
  }

  async #isBusy(): Promise<boolean> {
    const before = performance.eventLoopUtilization();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, WATCH_MS);
      this.#onEnd = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return performance.eventLoopUtilization(before).utilization > MAX_BUSY;
  }

  #isReady(index: RowTable): boolean {
    while (this.#next <= this.#wanted && index.isSettled(this.#next)) this.#next++;
    return this.#next > this.#wanted;
  }

  #stop(end: "finished" | "given_up"): void {
    this.#end = end;
    this.#onEnd?.();
  }

  /** Also those of a process that was killed. */
  async #removePartial(): Promise<void> {
    await Promise.all(this.#options.partialFiles.map((path) => rm(path, { force: true })));
  }
}
