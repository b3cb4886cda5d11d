import type { HaltError } from "../errors.js";
import type { Result } from "../types.js";
import { Journal, type DurableLine } from "./journal.js";
import { startKey, type JournalIndex } from "./journal-index.js";
import { JournalReader } from "./journal-reader.js";

export interface WriterOptions {
  readonly journalPath: string;
  /** Bytes of whole lines, from loading; 0 for a new journal. */
  readonly journalSize: number;
  readonly index: JournalIndex;
  /** Lets the queue forget finished rows; called with rows whose results are on disk. */
  readonly forget: (rowIndexes: readonly number[]) => Promise<void>;
  /** The same for rows whose jobs the queue does not count as finished. */
  readonly drop: (rowIndexes: readonly number[]) => Promise<void>;
  /** Sees each result that is on disk, once: for totals and progress. `isExtra`: the row had one already. */
  readonly onSettled: (result: Result, isExtra: boolean) => void;
  readonly onFailure: (error: Error) => void;
}

interface Waiting {
  readonly result: Result;
  readonly resolve: (isOnDisk: boolean) => void;
}

/**
 * Settles rows: journal first, then the queue forgets.
 *
 * A result goes through three states: *writing* (handed over, not yet on disk), *durable* (on disk, still
 * known to the queue), *forgotten*. The same result may be handed over again at any time, by the queue or
 * after a crash; it is settled once. An answer to a row that already stands is journaled as extra: paid
 * for, not used.
 */
export class Writer {
  readonly index: JournalIndex;
  readonly #options: WriterOptions;
  /** Starts being written or not yet forgotten: `rowIndex:attemptsStarted`. */
  readonly #held = new Set<string>();
  readonly #heldRows = new Map<number, number>();
  #journal!: Journal;
  #reader!: JournalReader;
  #toForget: Result[] = [];
  /**
   * Who waits for a result to be on disk, in the order of the journal. Nobody else has such a result: it is not in
   * the queue. Not a Map, whose tables keep alive what has left it (see abort-listeners).
   */
  #waiting: Waiting[] = [];
  /** Keys of results that came past the queue. */
  readonly #strays = new Set<string>();
  #forgetting: Promise<void> | null = null;

  private constructor(options: WriterOptions) {
    this.index = options.index;
    this.#options = options;
  }

  static async open(options: WriterOptions): Promise<Writer> {
    const writer = new Writer(options);
    writer.#journal = await Journal.open(
      options.journalPath,
      options.journalSize,
      (lines) => writer.#onDurable(lines),
      (error) => {
        for (const { resolve } of writer.#waiting) resolve(false);
        writer.#waiting = [];
        options.onFailure(error);
      },
    );
    writer.#reader = await JournalReader.open(options.journalPath, options.index);
    return writer;
  }

  get failure(): HaltError | null {
    return this.#journal.failure;
  }

  /** True while a row's result is on its way: the queue need not be asked for it. */
  holds(rowIndex: number): boolean {
    return this.#heldRows.has(rowIndex);
  }

  /** Returns false when this very result is on its way already. */
  settle(result: Result): boolean {
    const key = startKey(result);
    if (this.#held.has(key)) return false;
    this.#hold(key, result.rowIndex);
    const isExtra =
      (this.index.isSettled(result.rowIndex) || (this.#heldRows.get(result.rowIndex) ?? 0) > 1) &&
      !(this.index.state(result.rowIndex) === 2 && result.status === "succeeded");
    this.#journal.append(isExtra ? { event: "extra", result } : result);
    return true;
  }

  /**
   * Settles a result before its job ends in the queue, so that the queue need not keep it. Resolves when it
   * is on disk; with false when the journal cannot take it.
   */
  async settleNow(result: Result): Promise<boolean> {
    if (this.#journal.failure !== null) return false;
    return await new Promise((resolve) => {
      if (this.settle(result)) this.#waiting.push({ result, resolve });
      else resolve(false); // on its way by the queue, which must keep it until it is on disk
    });
  }

  /** Records what a row's starts cost without settling it: they are owed, whatever becomes of the row. */
  recordCost(result: Result): void {
    const key = startKey(result);
    if (this.#held.has(key)) return;
    this.#hold(key, result.rowIndex);
    this.#journal.append({ event: "extra", result });
  }

  /** Settles a result whose job could not be completed; the job is dropped, whatever state it is in. */
  settleStray(result: Result): void {
    this.#strays.add(startKey(result));
    this.settle(result);
  }

  /**
   * Settles what a queue offers: unlike `settle`, it first looks whether this very result is in the journal
   * already, from before a queue server, or the process that was to tell it, died. `isStray`: it came past
   * its job.
   */
  async settleAgain(result: Result, isStray: boolean): Promise<void> {
    if (this.#held.has(startKey(result))) return;
    if (await this.#isJournaled(result)) {
      if (isStray) await this.#options.drop([result.rowIndex]);
      else await this.#options.forget([result.rowIndex]);
    } else if (isStray) this.settleStray(result);
    else this.settle(result);
  }

  async #isJournaled(result: Result): Promise<boolean> {
    if (this.index.extras.has(startKey(result))) return true;
    const standing = await this.#reader.read(result.rowIndex);
    if (standing === null || standing.attemptsStarted !== result.attemptsStarted) return false;
    // What the queue gave up is worded anew, with a new time, each time it is read.
    if (isGivenUp(standing) && isGivenUp(result)) return true;
    return standing.finishedAt === result.finishedAt && standing.requestId === result.requestId;
  }

  /** Resolves when everything handed over is on disk and forgotten by the queue, or the journal failed. */
  async drain(): Promise<void> {
    await this.#journal.drain();
    while (this.#forgetting !== null) await this.#forgetting;
  }

  async close(): Promise<void> {
    await this.#journal.close();
    await this.#reader.close();
  }

  #hold(key: string, rowIndex: number): void {
    this.#held.add(key);
    this.#heldRows.set(rowIndex, (this.#heldRows.get(rowIndex) ?? 0) + 1);
  }

  #release(result: Result): void {
    this.#held.delete(startKey(result));
    const count = (this.#heldRows.get(result.rowIndex) ?? 1) - 1;
    if (count === 0) this.#heldRows.delete(result.rowIndex);
    else this.#heldRows.set(result.rowIndex, count);
  }

  #onDurable(lines: DurableLine[]): void {
    let waiters = 0;
    for (const { entry, offset, length } of lines) {
      const result = "event" in entry ? entry.result : entry;
      if ("event" in entry) this.index.extras.add(startKey(result));
      else this.index.settle(entry.rowIndex, entry.status, offset, length);
      const waiting = this.#waiting[waiters];
      if (waiting?.result === result) {
        waiters++;
        this.#release(result);
        waiting.resolve(true);
      } else this.#toForget.push(result);
      this.#options.onSettled(result, "event" in entry);
    }
    this.#waiting.splice(0, waiters);
    if (this.#toForget.length > 0) this.#forgetting ??= this.#forgetAll();
  }

  /** A queue that cannot be reached keeps finished jobs; they are offered again and found to be settled. */
  async #forgetAll(): Promise<void> {
    while (this.#toForget.length > 0) {
      const results = this.#toForget;
      this.#toForget = [];
      const isStray = (result: Result): boolean => this.#strays.delete(startKey(result));
      const strays = results.filter(isStray);
      const finished = strays.length === 0 ? results : results.filter((result) => !strays.includes(result));
      try {
        if (finished.length > 0) await this.#options.forget(finished.map((result) => result.rowIndex));
        if (strays.length > 0) await this.#options.drop(strays.map((result) => result.rowIndex));
        for (const result of results) this.#release(result);
      } catch (error) {
        // Finished jobs are offered again; those of strays would not be, and must not be started.
        for (const result of finished) this.#release(result);
        for (const result of strays) this.#strays.add(startKey(result));
        this.#toForget.push(...strays);
        this.#options.onFailure(error as Error);
        break;
      }
    }
    this.#forgetting = null;
  }
}

function isGivenUp(result: Result): boolean {
  return result.status === "failed" && result.error.kind === "worker_lost";
}
