import { taskCharacters, type RowOffers } from "../../producer/producer.js";
import type { Window } from "../../producer/window.js";
import type { CoordinatorState, RowLeft } from "../../protocol/coordinator-state.js";
import type { RowTask } from "../../protocol/events.js";
import type { Budget } from "../budget.js";

/** Characters of requests in a lease, roughly: a row with pictures is one of its own. */
const LEASE_CHARACTERS = 256_000;
/** A lease is no more than this part of the rows that are left, so that all workers have some to the end. */
const LAST_PARTS = 8;

export interface LeaseOffersOptions {
  readonly state: CoordinatorState;
  readonly budget: Budget | null;
  readonly window: Window;
  /** Rows of a lease at most; `isAlone`: this process calls, and nobody else does. */
  readonly leaseRows: (isAlone: boolean) => number;
  /** Every worker that called the row alone died. */
  readonly onLost: (task: RowTask) => void;
  /** There is no money for any row, and none will come free. */
  readonly onSpent: () => void;
  readonly wake: () => void;
}

/** How many rows a lease has where so many calls are made at once. Small ones leave something for others. */
export function leaseRows(concurrency: number, isAlone: boolean): number {
  return isAlone ? 100 : Math.max(1, Math.min(50, Math.floor(concurrency / 8)));
}

/**
 * Makes leases out of rows: those that the producer offers, and those that come back because their worker gave them back or
 * died. A row is *gathered* (for the next lease), in a *lease*, or it waits to be offered *again*.
 */
export class LeaseOffers implements RowOffers {
  readonly #options: LeaseOffersOptions;
  #gathered: RowTask[] = [];
  #characters = 0;
  #again: RowTask[] = [];
  #isOfferingAgain = false;

  constructor(options: LeaseOffersOptions) {
    this.#options = options;
  }

  /** Rows that wait to be offered again. */
  get waiting(): number {
    return this.#again.length;
  }

  offer(task: RowTask): boolean {
    const { state } = this.#options;
    if (state.isReady && !state.isSettled(task.rowIndex)) return this.#place(task);
    this.#again.push(task);
    this.offerAgain();
    return true;
  }

  flush(): void {
    const { state, wake } = this.#options;
    const rows: RowTask[] = [];
    for (const task of this.#gathered) {
      if (state.isSettled(task.rowIndex)) this.left(task, "settled");
      else if (state.isReady) rows.push(task);
      else this.left(task, "dropped");
    }
    this.#gathered = [];
    this.#characters = 0;
    if (rows.length === 0) return;
    state.offer(rows, false);
    wake();
  }

  async room(signal: AbortSignal): Promise<boolean> {
    return (await this.#options.budget?.room(signal)) ?? false;
  }

  /** A row is in no lease any more. */
  left(task: RowTask, how: RowLeft): void {
    const { budget, window } = this.#options;
    budget?.release(task.rowIndex);
    if (how === "settled") window.release(1, taskCharacters(task));
    else this.#again.push(task);
    if (this.#again.length > 0) this.offerAgain();
  }

  /** Tries all rows that wait, in the next turn of the event loop. */
  offerAgain(): void {
    if (this.#isOfferingAgain) return;
    this.#isOfferingAgain = true;
    setImmediate(() => {
      this.#isOfferingAgain = false;
      const { state, budget, onSpent } = this.#options;
      if (!state.isReady || state.isWindingDown) return;
      const tasks = this.#again;
      this.#again = [];
      for (const task of tasks) {
        if (state.isSettled(task.rowIndex)) this.#options.window.release(1, taskCharacters(task));
        else if (!this.#place(task)) this.#again.push(task);
      }
      this.flush();
      if (budget?.isSpent === true) onSpent();
    });
  }

  /** false: there is no money for it now. */
  #place(built: RowTask): boolean {
    const { state, budget, onLost } = this.#options;
    const task = state.renewed(built);
    const placing = state.placing(task.rowIndex);
    // While it is open whether a lost server had starts of a worker, nobody knows what is left of the money.
    if (placing === "busy" || (budget !== null && state.ledger.suspects.size > 0)) {
      this.#again.push(task);
      return true;
    }
    if (placing === "lost") {
      onLost(task);
      return true;
    }
    if (budget !== null) budget.unknownStarts = state.ledger.unknownStarts;
    const paid = budget === null ? task : budget.reserve(task);
    if (paid === null) return false;
    if (placing === "alone") state.offer([paid], true);
    else this.#gather(paid);
    return true;
  }

  #gather(task: RowTask): void {
    const { state, leaseRows } = this.#options;
    this.#gathered.push(task);
    this.#characters += taskCharacters(task);
    const isAlone = state.options.local !== null && state.seen.size === 0;
    const left = state.options.rows - state.ledger.rows.settled;
    // Towards the end leases shrink, so that all workers have some to the last.
    const last = isAlone ? Infinity : Math.ceil(left / LAST_PARTS);
    const isFull = this.#gathered.length >= Math.min(leaseRows(isAlone), last);
    if (isFull || this.#characters >= LEASE_CHARACTERS) this.flush();
  }
}
