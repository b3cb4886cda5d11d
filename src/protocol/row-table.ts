export const RowState = { unsettled: 0, succeeded: 1, failed: 2 } as const;
export type RowState = (typeof RowState)[keyof typeof RowState];

/** Beside the state: the row was in a lease once. */
const PUT = 4;
/** The row was settled, and was to be called again. */
const UNSETTLED = 8;
const STATE = 3;

interface Page {
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly states: Uint8Array;
  /** Number of the lease that has the row; 0: none. */
  readonly leases: Uint32Array;
}

/**
 * What is known of each row: whether it is settled, where its standing line is in the journal, which lease has it.
 *
 * 17 bytes a row in pages of their own, so that it grows without copying. Row indexes are 0-based.
 */
export class RowTable {
  readonly #pageRows: number;
  #pages: Page[] = [];
  #succeeded = 0;
  #failed = 0;

  /** @default 65_536 rows in a page */
  constructor(pageRows = 65_536) {
    this.#pageRows = pageRows;
  }

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
    const states = this.#pages[Math.floor(rowIndex / this.#pageRows)]?.states;
    return ((states?.[rowIndex % this.#pageRows] ?? 0) & STATE) as RowState;
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

  /** Where the row's last line is, also after the row was unsettled; null when it has none. */
  locate(rowIndex: number): { offset: number; length: number } | null {
    const page = this.#pages[Math.floor(rowIndex / this.#pageRows)];
    const length = page?.lengths[rowIndex % this.#pageRows] ?? 0;
    return page === undefined || length === 0
      ? null
      : { offset: page.offsets[rowIndex % this.#pageRows] ?? 0, length };
  }

  /** Notes a row's newest result. */
  settle(rowIndex: number, status: "succeeded" | "failed", offset: number, length: number): void {
    const page = this.#page(rowIndex);
    const at = rowIndex % this.#pageRows;
    this.#setState(page, at, status === "succeeded" ? RowState.succeeded : RowState.failed);
    page.offsets[at] = offset;
    page.lengths[at] = length;
  }

  /** The row is to be called again. */
  unsettle(rowIndex: number): void {
    const page = this.#page(rowIndex);
    const at = rowIndex % this.#pageRows;
    this.#setState(page, at, RowState.unsettled);
    page.states[at] = (page.states[at] ?? 0) | UNSETTLED;
  }

  wasUnsettled(rowIndex: number): boolean {
    return this.#has(rowIndex, UNSETTLED);
  }

  /** Forgets all rows. */
  clear(): void {
    this.#pages = [];
    this.#succeeded = this.#failed = 0;
  }

  /** Notes that rows were in a lease. */
  put(rowIndexes: readonly number[]): void {
    for (const row of rowIndexes) {
      const { states } = this.#page(row);
      states[row % this.#pageRows] = (states[row % this.#pageRows] ?? 0) | PUT;
    }
  }

  wasPut(rowIndex: number): boolean {
    return this.#has(rowIndex, PUT);
  }

  /** Number of the lease that has the row now; 0: none. */
  leaseOf(rowIndex: number): number {
    return this.#pages[Math.floor(rowIndex / this.#pageRows)]?.leases[rowIndex % this.#pageRows] ?? 0;
  }

  setLease(rowIndex: number, lease: number): void {
    this.#page(rowIndex).leases[rowIndex % this.#pageRows] = lease;
  }

  #has(rowIndex: number, flag: number): boolean {
    return (
      ((this.#pages[Math.floor(rowIndex / this.#pageRows)]?.states[rowIndex % this.#pageRows] ?? 0) &
        flag) !==
      0
    );
  }

  #setState(page: Page, at: number, state: RowState): void {
    const before = page.states[at] ?? 0;
    this.#count((before & STATE) as RowState, -1);
    this.#count(state, 1);
    page.states[at] = (before & ~STATE) | state;
  }

  #count(state: RowState, by: number): void {
    if (state === RowState.succeeded) this.#succeeded += by;
    else if (state === RowState.failed) this.#failed += by;
  }

  #page(rowIndex: number): Page {
    const number = Math.floor(rowIndex / this.#pageRows);
    while (this.#pages.length <= number) {
      this.#pages.push({
        offsets: new Float64Array(this.#pageRows),
        lengths: new Uint32Array(this.#pageRows),
        states: new Uint8Array(this.#pageRows),
        leases: new Uint32Array(this.#pageRows),
      });
    }
    return this.#pages[number] as Page;
  }
}
