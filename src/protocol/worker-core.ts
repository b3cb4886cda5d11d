import type { Result } from "../types.js";
import {
  packBound,
  type AttemptEvent,
  type Billing,
  type Lease,
  type ReturnedEvent,
  type RowTask,
} from "./events.js";
import type { OwnEvent } from "./outbox.js";

/** A lease that this worker has claimed. */
export interface TakenLease {
  readonly lease: Lease;
  /** Rows of it that have not ended or gone back. */
  left: number;
}

/** A row in a worker's hands: prefetched, waiting for its next attempt, or being called. */
export interface WorkerRow {
  readonly task: RowTask;
  readonly taken: TakenLease;
  /** What the rate limiter gave it; the protocol only hands it on. */
  admission?: unknown;
}

/** A call under way. */
export interface Call extends WorkerRow {
  readonly key: number;
}

/** How a call ended. */
export type Outcome =
  /** The row has its result. */
  | { readonly kind: "settled"; readonly result: Result; readonly billing: Billing }
  /** It is called again by this worker, in so many milliseconds. */
  | {
      readonly kind: "again";
      readonly waitMs: number;
      readonly attempt: AttemptEnd;
      readonly task: RowTask;
    }
  /** It goes back to the coordinator. */
  | { readonly kind: "returned"; readonly attempt: AttemptEnd; readonly reason: ReturnedEvent["reason"] };

/** Of an attempt event, what its caller knows. */
export type AttemptEnd = Omit<
  AttemptEvent,
  "event" | "worker" | "seq" | "key" | "rowIndex" | "customId" | "model"
>;

/** Hears what the worker wants done outside of the protocol. */
export interface WorkerWorld {
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  /** Ask whether the row's call may go out now; answer by `admitted` or `refused`. */
  admit(row: WorkerRow): void;
  /** An admitted row is not called after all. */
  dismiss(row: WorkerRow): void;
  /** Make the call; answer by `ended`. Its mark stands. */
  call(call: Call): void;
  /** The lease is done with. */
  complete(lease: Lease): void;
  /** There is something to do for the worker's processes. */
  wake(): void;
  /** For marks, ISO 8601. */
  time(): string;
}

/**
 * The rows of one worker in one run, and the slots of its calls.
 *
 * A row is *ready* (prefetched, or its wait is over), *asking* (it has a slot and waits for the rate limiter), *admitted* (its
 * mark may be written), *marked* (its mark is on its way), *called* (its mark stands), or *waiting* (for its next attempt, without a
 * slot).
 *
 * Invariants:
 * 1. Asking, admitted, marked and called rows, and ended ones whose events are `unsafe`, have a slot each; there are `share` slots.
 * 2. A row of a lease that runs alone is asked for when nothing else has a slot, and nothing else while it has one.
 */
export class WorkerCore {
  readonly world: WorkerWorld;
  readonly calls = new Map<number, Call>();
  /** Slots: how many calls may be under way. */
  share = 0;
  isStopping = false;
  /** Rows that may be marked. */
  admittedRows: WorkerRow[] = [];
  /** Events that wait to be written or sent, and by how much they change the calls under way. */
  readonly emit: (event: OwnEvent, calls: number) => void;
  /** Ended calls whose slots are not free yet. */
  unsafe = 0;
  #ready: WorkerRow[] = [];
  #readyFrom = 0;
  readonly #waiting: { readonly dueAt: number; readonly row: WorkerRow }[] = [];
  #asking = 0;
  #marked = 0;
  /** Leases that have rows here. */
  readonly #taken = new Set<TakenLease>();
  /** Leases of other ones are void; null: none was joined. */
  #fence: number | null = null;
  #aloneRow: WorkerRow | null = null;
  #nextKey = 1;

  constructor(world: WorkerWorld, emit: (event: OwnEvent, calls: number) => void) {
    this.world = world;
    this.emit = emit;
  }

  get used(): number {
    return this.#asking + this.admittedRows.length + this.#marked + this.calls.size + this.unsafe;
  }

  /** Prefetched rows. */
  get readyRows(): number {
    return this.#ready.length - this.#readyFrom;
  }

  get isIdle(): boolean {
    return this.used === 0 && this.readyRows === 0 && this.#waiting.length === 0;
  }

  /** When the next waiting row is due; null: none waits. */
  get nextDueAt(): number | null {
    return this.#waiting.length === 0 ? null : Math.min(...this.#waiting.map(({ dueAt }) => dueAt));
  }

  take(lease: Lease): void {
    const taken = { lease, left: lease.rows.length };
    this.#taken.add(taken);
    for (const task of lease.rows) this.#ready.push({ task, taken });
  }

  /** Gives free slots to rows and asks for them. */
  fill(): void {
    this.#wakeDue();
    while (this.readyRows > 0 && this.used < this.share && this.#aloneRow === null && !this.isStopping) {
      const row = this.#ready[this.#readyFrom] as WorkerRow;
      if (row.taken.lease.isAlone) {
        if (this.used > 0) return;
        this.#aloneRow = row;
      }
      this.#shift();
      this.#asking++;
      this.world.admit(row);
    }
  }

  admitted(row: WorkerRow): void {
    this.#asking--;
    if (this.#isVoid(row)) {
      this.world.dismiss(row);
      this.discard(row);
    } else this.admittedRows.push(row);
    this.world.wake();
  }

  /** It was called back before its turn came. */
  refused(row: WorkerRow): void {
    this.#asking--;
    this.#unalone(row);
    if (this.#isVoid(row)) this.discard(row);
    else this.#ready.push(row);
    this.world.wake();
  }

  /** Marks for rows, one event for each model. The caller writes them and says `called`, or `notYet`. */
  marks(calls: readonly Call[]): OwnEvent[] {
    this.#marked += calls.length;
    const byModel = new Map<string, Call[]>();
    for (const call of calls) {
      const { model } = call.task.request;
      const same = byModel.get(model);
      if (same === undefined) byModel.set(model, [call]);
      else same.push(call);
    }
    const at = this.world.time();
    return [...byModel].map(([model, same]) => ({
      event: "started",
      at,
      model,
      fence: same[0]?.taken.lease.fence ?? 0,
      rows: same.map(({ task, key, taken }) => [
        task.rowIndex,
        key,
        task.customId,
        packBound(task.bound),
        taken.lease.number,
      ]),
    }));
  }

  /** A new call for a row; it keeps the row's slot. */
  newCall({ task, taken, admission }: WorkerRow): Call {
    return { task, taken, admission, key: this.#nextKey++ };
  }

  /** The marks stand: the calls go out. */
  called(calls: readonly Call[]): void {
    this.#marked -= calls.length;
    for (const call of calls) {
      this.calls.set(call.key, call);
      this.world.call(call);
    }
  }

  /** The rows keep their slots and are marked later. */
  notYet(calls: readonly Call[]): void {
    this.#marked -= calls.length;
    this.admittedRows.push(...calls);
  }

  /** A call ended. Its slot is free once its events are safe, by `free`. */
  ended(call: Call, outcome: Outcome): void {
    this.calls.delete(call.key);
    this.#unalone(call);
    this.unsafe++;
    const { rowIndex, customId, request } = call.task;
    const { key } = call;
    if (outcome.kind === "settled") {
      const { result, billing } = outcome;
      // Its own object from here on: a copy of so many fields for each row is felt.
      this.emit(Object.assign(result, { event: "settled" as const, key, billing }), -1);
      this.#left(call.taken, 1);
    } else {
      this.emit({ event: "attempt", key, rowIndex, customId, model: request.model, ...outcome.attempt }, -1);
      if (outcome.kind === "returned") this.giveBack([call], outcome.reason);
      else if (this.#isVoid(call)) this.discard(call);
      else {
        const row = { task: outcome.task, taken: call.taken };
        this.#waiting.push({ dueAt: this.world.now() + outcome.waitMs, row });
      }
    }
    this.world.wake();
  }

  /** Events of so many ended calls are where they survive this process. */
  free(ended: number): void {
    this.unsafe -= ended;
  }

  /** Rows that somebody else has answered are not called any more. */
  forget(rows: readonly number[]): void {
    const gone = new Set(rows);
    this.#drop(({ task }) => gone.has(task.rowIndex));
  }

  /** The row is not this worker's to call any more. */
  discard(row: WorkerRow): void {
    this.#unalone(row);
    this.#left(row.taken, 1);
    this.world.wake(); // it may have had a slot
  }

  /** Leases of other fences than this one are void: their rows are somebody else's now. */
  keepFence(fence: number): void {
    if (fence === this.#fence) return;
    this.#fence = fence;
    this.#drop((row) => this.#isVoid(row));
  }

  /** Gives every row back that is not being called. */
  giveAllBack(reason: ReturnedEvent["reason"]): void {
    const admitted = this.admittedRows;
    const rows = [...this.#ready.slice(this.#readyFrom), ...this.#waiting.map(({ row }) => row), ...admitted];
    if (rows.length === 0) return;
    this.#ready = [];
    this.admittedRows = [];
    this.#readyFrom = this.#waiting.length = 0;
    for (const row of admitted) this.world.dismiss(row);
    for (const row of rows) this.#unalone(row);
    this.giveBack(rows, reason);
  }

  giveBack(rows: readonly WorkerRow[], reason: ReturnedEvent["reason"]): void {
    const byLease = new Map<TakenLease, number[]>();
    for (const { taken, task } of rows) {
      const same = byLease.get(taken);
      if (same === undefined) byLease.set(taken, [task.rowIndex]);
      else same.push(task.rowIndex);
    }
    for (const [taken, rowIndexes] of byLease) {
      const { number, fence } = taken.lease;
      this.emit({ event: "returned", lease: number, fence, rows: rowIndexes, reason }, 0);
      this.#left(taken, rowIndexes.length);
    }
  }

  /** Numbers of the leases that rows here are of. */
  leases(): number[] {
    return [...this.#taken].flatMap(({ lease: { fence, number } }) =>
      fence === this.#fence ? [number] : [],
    );
  }

  /** Calls under way, and rows that wait for the rate limiter, outlive their fence: numbers of leases are given again. */
  #isVoid({ taken }: WorkerRow): boolean {
    return this.#fence !== null && taken.lease.fence !== this.#fence;
  }

  #drop(isGone: (row: WorkerRow) => boolean): void {
    const keep = (rows: readonly WorkerRow[]): WorkerRow[] =>
      rows.filter((row) => {
        if (!isGone(row)) return true;
        this.discard(row);
        return false;
      });
    this.#ready = keep(this.#ready.slice(this.#readyFrom));
    this.#readyFrom = 0;
    for (const row of this.admittedRows) if (isGone(row)) this.world.dismiss(row);
    this.admittedRows = keep(this.admittedRows);
    const waiting = this.#waiting.splice(0);
    const kept = new Set(keep(waiting.map(({ row }) => row)));
    this.#waiting.push(...waiting.filter(({ row }) => kept.has(row)));
  }

  #wakeDue(): void {
    const now = this.world.now();
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const { dueAt, row } = this.#waiting[at] as { dueAt: number; row: WorkerRow };
      if (dueAt > now) continue;
      this.#waiting.splice(at, 1);
      this.#ready.push(row);
    }
  }

  /** The array is cut now and then: a shift of its own for each row would move all others. */
  #shift(): void {
    this.#readyFrom++;
    if (this.#readyFrom < 100 || this.#readyFrom * 2 < this.#ready.length) return;
    this.#ready = this.#ready.slice(this.#readyFrom);
    this.#readyFrom = 0;
  }

  #unalone({ task }: WorkerRow): void {
    if (this.#aloneRow?.task.rowIndex === task.rowIndex) this.#aloneRow = null;
  }

  #left(taken: TakenLease, rows: number): void {
    taken.left -= rows;
    if (taken.left > 0) return;
    this.#taken.delete(taken);
    this.world.complete(taken.lease);
  }
}
