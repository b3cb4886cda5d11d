import type { Result } from "../types.js";

/** Rows per page of the index. */
const PAGE_ROWS = 65_536;

export const RowState = { unsettled: 0, succeeded: 1, failed: 2 } as const;
export type RowState = (typeof RowState)[keyof typeof RowState];

interface Page {
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly states: Uint8Array;
}

/**
 * Which rows are settled, and where their standing lines are in the journal.
 *
 * 13 bytes a row in pages of their own, so that it grows without copying. Row indexes are 0-based.
 */
export class JournalIndex {
  /** Starts whose answers came to a row that had one; few, see startKey. */
  readonly extras = new Set<string>();
  readonly #pages: Page[] = [];
  #succeeded = 0;
  #failed = 0;

  get succeeded(): number {
    return this.#succeeded;
  }

  get failed(): number {
    return this.#failed;
  }

  get settled(): number {
    return this.#succeeded + this.#failed;
  }

  state(rowIndex: number): RowState {
    return (this.#pages[Math.floor(rowIndex / PAGE_ROWS)]?.states[rowIndex % PAGE_ROWS] ??
      RowState.unsettled) as RowState;
  }

  isSettled(rowIndex: number): boolean {
    return this.state(rowIndex) !== RowState.unsettled;
  }

  /** The last row of those at the start that are all settled; -1: there is none. */
  settledUpTo(rows: number): number {
    let next = 0;
    while (next < rows && this.isSettled(next)) next++;
    return next - 1;
  }

  /** Where the row's last line is, also after the row was taken back; null when it has none. */
  locate(rowIndex: number): { offset: number; length: number } | null {
    const page = this.#pages[Math.floor(rowIndex / PAGE_ROWS)];
    const length = page?.lengths[rowIndex % PAGE_ROWS] ?? 0;
    return page === undefined || length === 0
      ? null
      : { offset: page.offsets[rowIndex % PAGE_ROWS] ?? 0, length };
  }

  /** Notes a row's newest line; the later one stands. */
  settle(rowIndex: number, status: "succeeded" | "failed", offset: number, length: number): void {
    const page = this.#page(rowIndex);
    const at = rowIndex % PAGE_ROWS;
    this.#count(page.states[at] as RowState, -1);
    const state = status === "succeeded" ? RowState.succeeded : RowState.failed;
    page.states[at] = state;
    page.offsets[at] = offset;
    page.lengths[at] = length;
    this.#count(state, 1);
  }

  /** Takes a row back for another try. */
  unsettle(rowIndex: number): void {
    const page = this.#page(rowIndex);
    this.#count(page.states[rowIndex % PAGE_ROWS] as RowState, -1);
    page.states[rowIndex % PAGE_ROWS] = RowState.unsettled;
  }

  #count(state: RowState, by: number): void {
    if (state === RowState.succeeded) this.#succeeded += by;
    else if (state === RowState.failed) this.#failed += by;
  }

  #page(rowIndex: number): Page {
    const number = Math.floor(rowIndex / PAGE_ROWS);
    while (this.#pages.length <= number) {
      this.#pages.push({
        offsets: new Float64Array(PAGE_ROWS),
        lengths: new Uint32Array(PAGE_ROWS),
        states: new Uint8Array(PAGE_ROWS),
      });
    }
    return this.#pages[number] as Page;
  }
}

/** Tells one result from every other: which row, which start, and when it ended. */
export function startKey(result: Result): string {
  return `${result.rowIndex}:${result.attemptsStarted}:${result.finishedAt}`;
}
