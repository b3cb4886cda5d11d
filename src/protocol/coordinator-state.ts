import { flush, merge, write, type Steps, type WrittenEvent } from "./effects.js";
import type { JournalEvent, Lease, ReturnedEvent, RowTask, SettledEvent, WorkerEvent } from "./events.js";
import type { Beat, Fence } from "./hub.js";
import { Ledger, type LedgerListener, type OpenStart } from "./ledger.js";
import type { LocalGate } from "./local-worker.js";
import type { RowTable } from "./row-table.js";
import type { Timing } from "./timing.js";

/** A lease that is out. */
export interface OutLease {
  readonly lease: Lease;
  /** Rows that have no result and did not come back. */
  left: number;
  /** When it was last known to wait, or to be somebody's. */
  seenAt: number;
}

/** What became of a row's lease. */
export type RowLeft = "settled" | "dropped" | ReturnedEvent["reason"];

/** Hears what the coordinator's surroundings must do or know. */
export interface CoordinatorWorld {
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  /** ISO 8601. */
  time(): string;
  /** A row is not in a lease any more. */
  left(task: RowTask, how: RowLeft): void;
  /** Rows may be offered, or offered again: a fence was claimed, or workers that had them are gone. */
  mayOffer(): void;
  /** Checks what a worker sent; null: it is none of this run's events. */
  parse(text: string, worker: string): WorkerEvent | null;
  /** True only when it is certain that the worker's process has ended. */
  hasEnded(beat: Beat): boolean;
  warn(message: string, fields: object): void;
  halted(error: { readonly code: string; readonly message: string; readonly hint?: string }): void;
}

export interface CoordinatorOptions {
  readonly nonce: string;
  /** Rows of the run. */
  readonly rows: number;
  readonly concurrency: number;
  /** Attempts of a row that count, at most. */
  readonly attempts: number;
  readonly timing: Timing;
  /** The worker in this process; null: there is none. */
  readonly local: string | null;
  /** The run lock's holder before is certain to be dead, with all that it ran. */
  readonly isPredecessorDead: boolean;
  readonly rowTable: RowTable;
  readonly listener: LedgerListener;
}

/** How a row that is not in a lease may be put in one. */
export type Placing = "free" | "alone" | "busy" | "lost";

/** A row that was the only call of its worker, so many times, is what kills workers. */
const MOST_LOSSES_ALONE = 3;
/** After so many losses a row runs alone. */
const LOSSES_BEFORE_ALONE = 2;

const OF_CALLS: ReadonlySet<JournalEvent["event"]> = new Set([
  "started",
  "attempt",
  "settled",
  "void",
  "unknown",
]);

/** All that a coordinator knows. Its steps are in the modules beside this. */
export class CoordinatorState implements LocalGate {
  readonly options: CoordinatorOptions;
  readonly world: CoordinatorWorld;
  readonly ledger: Ledger;
  readonly leases = new Map<number, OutLease>();
  /** Not yet on the queue. */
  unput: OutLease[] = [];
  /** Leases that ended, for the hub to forget. */
  ended: number[] = [];
  current: Fence | null = null;
  /** Leases may be put and rows started. */
  isReady = false;
  /** null: it goes on. */
  stopped: "replaced" | "ended" | null = null;
  /** When the run lock was last seen to be this coordinator's. */
  verifiedAt: number;
  localShare = 0;
  /** Shares of workers elsewhere, as set. */
  shares = new Map<string, number>();
  /** The last sign of life of each worker, and when it came. */
  readonly seen = new Map<string, { beat: Beat; at: number }>();
  /** Workers that joined the fence. */
  readonly joined = new Set<string>();
  /** Workers of earlier fences that may yet say something, and until when that is waited for. */
  readonly awaited = new Map<string, number>();
  /** Calls of silent workers, which end in time. */
  readonly withheld = new Map<string, { calls: number; until: number }>();
  /** Workers whose outbox had a line that is no event, and the fence under which it was found. */
  readonly spoiled = new Map<string, number>();
  /** Rows that were settled while another lease had them. */
  late: number[] = [];
  dropping: number[] = [];
  /** Offered leases whose line is written. */
  readonly journaled = new Set<number>();
  /** No share any more: calls under way may end. */
  isWindingDown = false;
  /** The worker in this process. */
  localWorker: { readonly used: number; leases(): number[] } | null = null;
  #nextLease = 1;
  /** Open starts of rows whose lease is gone, by row. */
  readonly #oldStarts = new Map<number, OpenStart[]>();

  constructor(options: CoordinatorOptions, world: CoordinatorWorld) {
    this.options = options;
    this.world = world;
    this.verifiedAt = world.now();
    this.ledger = new Ledger(options.rowTable, {
      started: (start) => options.listener.started?.(start),
      voided: (start) => {
        options.listener.voided?.(start);
        this.#ended(start);
      },
      ended: (call, start) => {
        options.listener.ended?.(call, start);
        if (start !== undefined) this.#ended(start);
      },
      settled: (event, start) => {
        options.listener.settled?.(event, start);
        this.#settled(event, start);
      },
      cleared: () => options.listener.cleared?.(),
    });
  }

  get fence(): number {
    const isVerified = this.world.now() - this.verifiedAt <= this.options.timing.lockMs;
    return this.isReady && isVerified && this.stopped === null ? (this.current?.number ?? 0) : 0;
  }

  get share(): number {
    return this.localShare;
  }

  isLive({ number, fence }: Lease): boolean {
    return this.leases.get(number)?.lease.fence === fence && !this.dropping.includes(number);
  }

  isSettled(rowIndex: number): boolean {
    return this.ledger.rows.isSettled(rowIndex);
  }

  get isAllSettled(): boolean {
    return this.ledger.rows.settled >= this.options.rows;
  }

  /** Events are true once they are written. */
  *record(events: readonly JournalEvent[]): Steps {
    yield* this.recordLines(events.map((event) => ({ event })));
  }

  *recordFlushed(events: readonly JournalEvent[]): Steps {
    yield* this.record(events);
    yield* flush();
  }

  *recordLines(lines: readonly WrittenEvent[]): Steps {
    const places = yield* write(lines);
    for (const [index, { event }] of lines.entries()) {
      const place = places[index];
      this.apply(event, place?.offset, place?.length);
    }
  }

  /**
   * Takes in what other coordinators wrote since this one looked last. Once this one has claimed its fence they decide nothing any
   * more: only what became of calls counts.
   */
  *mergeOthers(): Steps {
    for (const { event, offset, length } of yield* merge())
      if (!this.isReady || OF_CALLS.has(event.event)) this.apply(event, offset, length);
  }

  apply(event: JournalEvent, offset = 0, length = 0): void {
    if (!this.ledger.apply(event, offset, length)) return;
    if (event.event === "returned") this.#returned(event);
    else if (event.event === "halted") this.world.halted(event);
  }

  /** An answer to another request than its row has by now is not the row's result; it was paid all the same. */
  counted(event: WorkerEvent): WorkerEvent {
    if (event.event !== "settled" || event.worker === undefined || event.key === undefined) return event;
    const { worker, seq, key, rowIndex, customId, requestDigest, model, billing, usage } = event;
    const lease = this.leases.get(this.ledger.rows.leaseOf(rowIndex));
    const task = lease?.lease.rows.find((row) => row.rowIndex === rowIndex);
    if (task === undefined || task.requestDigest === requestDigest) return event;
    const ofCall = { worker, ...(seq === undefined ? {} : { seq }), key, rowIndex, customId, model };
    return { event: "attempt", ...ofCall, at: event.finishedAt, counts: false, billing, usage };
  }

  /** Makes a lease of rows, to be put with the next step. The caller has asked `placing`, and reserved money. */
  offer(rows: readonly RowTask[], isAlone: boolean): void {
    const lease: Lease = { number: this.#nextLease++, fence: this.current?.number ?? 0, isAlone, rows };
    const out = { lease, left: rows.length, seenAt: this.world.now() };
    this.leases.set(lease.number, out);
    this.unput.push(out);
    for (const { rowIndex } of rows) this.ledger.rows.setLease(rowIndex, lease.number);
  }

  /** An outbox cannot be read on under this fence. */
  get hasSpoiled(): boolean {
    return [...this.spoiled.values()].includes(this.current?.number ?? 0);
  }

  placing(rowIndex: number): Placing {
    if (this.ledger.suspects.size > 0 && this.ledger.rows.wasPut(rowIndex)) return "busy";
    const old = this.#oldStarts.get(rowIndex);
    if (old === undefined) return "free";
    const open = old.filter(({ worker, key }) => this.ledger.isOpen(worker, key));
    if (open.some(({ worker }) => this.isPresent(worker))) return "busy";
    const alone = open.filter(({ worker }) => this.ledger.openCount(worker) === 1);
    if (alone.length >= MOST_LOSSES_ALONE) return "lost";
    return open.length >= LOSSES_BEFORE_ALONE ? "alone" : "free";
  }

  /** Starts of a row that were lost with their workers. */
  losses(rowIndex: number): number {
    const old = this.#oldStarts.get(rowIndex) ?? [];
    return old.filter(({ worker, key }) => this.ledger.isOpen(worker, key)).length;
  }

  /** Whether a worker may still tell how its calls ended. */
  isPresent(worker: string): boolean {
    return worker === this.options.local || this.joined.has(worker) || this.awaited.has(worker);
  }

  /** Calls whose lease is gone decide whether their rows may be put again. */
  noteOldStarts(starts: Iterable<OpenStart>): void {
    for (const start of starts) {
      const known = this.#oldStarts.get(start.rowIndex);
      if (known === undefined) this.#oldStarts.set(start.rowIndex, [start]);
      else if (!known.includes(start)) known.push(start);
    }
  }

  /** Takes a lease from whoever has it; its rows may be offered again. */
  dropLease(number: number): void {
    const out = this.leases.get(number);
    if (out === undefined) return;
    const { rows } = this.ledger;
    const left = out.lease.rows.filter(({ rowIndex }) => rows.leaseOf(rowIndex) === number);
    this.leases.delete(number);
    this.unput = this.unput.filter(({ lease }) => lease.number !== number);
    for (const task of left) rows.setLease(task.rowIndex, 0);
    for (const task of left) this.world.left(this.renewed(task), "dropped");
  }

  /** The row as it is to be called now, after what its attempts came to. */
  renewed(task: RowTask): RowTask {
    const { ended, unusable, translated } = this.ledger.history(task.rowIndex);
    return { ...task, ended, unusable, ...(translated === undefined ? {} : { translated }) };
  }

  /** A row whose lease was gone may have waited for just this. */
  #ended({ rowIndex }: OpenStart): void {
    if (this.#oldStarts.has(rowIndex)) this.world.mayOffer();
  }

  #settled({ rowIndex }: SettledEvent, start: OpenStart | undefined): void {
    this.#oldStarts.delete(rowIndex);
    const number = this.ledger.rows.leaseOf(rowIndex);
    const out = this.leases.get(number);
    if (number === 0 || out === undefined) return;
    if (start?.lease !== number || start.fence !== out.lease.fence) this.late.push(rowIndex);
    this.#leave(out, rowIndex, "settled");
  }

  #returned({ lease, fence, rows, reason }: ReturnedEvent): void {
    const out = this.leases.get(lease);
    if (out === undefined || fence !== this.current?.number) return;
    for (const rowIndex of rows) {
      if (this.ledger.rows.leaseOf(rowIndex) === lease) this.#leave(out, rowIndex, reason);
    }
  }

  #leave(out: OutLease, rowIndex: number, how: RowLeft): void {
    const { number, rows } = out.lease;
    this.ledger.rows.setLease(rowIndex, 0);
    if (--out.left === 0) {
      this.leases.delete(number);
      this.ended.push(number);
    }
    const task = rows.find((row) => row.rowIndex === rowIndex);
    if (task !== undefined) this.world.left(how === "settled" ? task : this.renewed(task), how);
  }
}
