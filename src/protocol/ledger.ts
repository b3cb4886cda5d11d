import type { CallBound, RowErrorKind, Usage } from "../types.js";
import { unpackBound, type Billing, type JournalEvent, type TranslatedSoFar } from "./events.js";
import type { AttemptEvent, CoordinatorEvent, SettledEvent, StartedEvent, VoidEvent } from "./events.js";
import { fileOfOffset } from "./line-place.js";
import { RowState, type RowTable } from "./row-table.js";

type FenceEvent = Extract<CoordinatorEvent, { event: "fence" }>;

/** A call that was started and whose end nobody has told. */
export interface OpenStart {
  readonly worker: string;
  readonly key: number;
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  readonly bound: CallBound | null;
  readonly at: string;
  /** The lease under which it was started. */
  readonly fence: number;
  readonly lease: number;
}

/** A call that ended, with or without settling its row. */
export interface EndedCall {
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  readonly at: string;
  readonly billing: Billing;
  /** null with `billed`: unknown. */
  readonly usage: Usage | null;
  /** Of a possibly billed call, or one whose usage is unknown. */
  readonly bound: CallBound | null;
  /** null: it ended well, or it is not one of the row's attempts. */
  readonly errorKind: RowErrorKind | null;
}

/** Hears what counts, once, in the order of the journal. */
export interface LedgerListener {
  started?(start: OpenStart): void;
  /** No call followed. */
  voided?(start: OpenStart): void;
  /** `start`: the mark that it closes. */
  ended?(call: EndedCall, start: OpenStart | undefined): void;
  /** A row has a result, or a better one. */
  settled?(event: SettledEvent, start: OpenStart | undefined): void;
  /** The input is another: no row has a result any more. */
  cleared?(): void;
}

/** What is known of an unsettled row's earlier attempts. */
export interface RowHistory {
  ended: number;
  unusable: number;
  translated: TranslatedSoFar | undefined;
}

const NEW_ROW: Readonly<RowHistory> = { ended: 0, unusable: 0, translated: undefined };

/**
 * What a journal says: the fold of all its events, in order. Pure; the same for a run, a report and the simulation.
 *
 * Invariants:
 * 1. An event counts once. Numbers of a worker grow: what is not above the highest is a repetition. So is, of a worker without
 *    numbers, an end of a call that is not open.
 * 2. A success stands before a failure; of two alike that of the later file, in a file the first. So whoever merges the files while
 *    they are written comes to the same as who reads them afterwards. A retry asks for another.
 * 3. Every call is counted when it ends, also of a row that is settled; a start without an end stays open.
 * 4. A call that began before its row was to be called again counts, and is neither the row's result nor one of its attempts.
 */
export class Ledger {
  readonly rows: RowTable;
  readonly #listener: LedgerListener;
  readonly #open = new Map<string, Map<number, OpenStart>>();
  readonly #lastSeq = new Map<string, number>();
  readonly #history = new Map<number, RowHistory>();
  /** The last fence before the last retry. */
  #retryFence = 0;
  /** The highest fence that was ever written. */
  fence = 0;
  /** The server of the last fence that was claimed; null: none was. */
  server: string | null = null;
  /** The worker in the process of the coordinator that claimed it. */
  local: string | null = null;
  shares: ReadonlyMap<string, number> = new Map();
  readonly dead = new Set<string>();
  /** Workers that may have started rows unread before a server lost data, and how many at most. */
  readonly suspects = new Map<string, number>();
  /** The same for those that died without a word. */
  readonly unknown = new Map<string, number>();

  constructor(rows: RowTable, listener: LedgerListener = {}) {
    this.rows = rows;
    this.#listener = listener;
  }

  /** Returns false for an event that was applied before. A settled event says where its line is. */
  apply(event: JournalEvent, offset = 0, length = 0): boolean {
    if ("seq" in event && event.seq !== undefined) {
      if (!this.#isNew(event.worker ?? "", event.seq)) return false;
    } else if (this.#isRepeatedEnd(event)) return false;
    if (event.event === "started") this.#start(event);
    else if (event.event === "settled") this.#settle(event, offset, length);
    else if (event.event === "attempt") this.#end(event);
    else if (event.event === "void") this.#void(event);
    else if (event.event === "put") this.rows.put(event.rows);
    else if (event.event === "retry") this.#retry(event.rowIndexes);
    else if (event.event === "input") this.#clear();
    else this.#note(event);
    return true;
  }

  /** What earlier attempts of an unsettled row came to. */
  history(rowIndex: number): Readonly<RowHistory> {
    return this.#history.get(rowIndex) ?? NEW_ROW;
  }

  /** The highest number of a worker's events; 0: there is none. */
  lastSeq(worker: string): number {
    return this.#lastSeq.get(worker) ?? 0;
  }

  /** Starts without an end, by worker. */
  *openStarts(): Generator<OpenStart> {
    for (const starts of this.#open.values()) yield* starts.values();
  }

  openStartsOf(worker: string): Iterable<OpenStart> {
    return this.#open.get(worker)?.values() ?? [];
  }

  /** Starts that may be in no journal, at most. */
  get unknownStarts(): number {
    const sum = (starts: ReadonlyMap<string, number>): number =>
      [...starts.values()].reduce((all, one) => all + one, 0);
    return sum(this.unknown) + sum(this.suspects);
  }

  /** How many starts of a worker have no end. */
  openCount(worker: string): number {
    return this.#open.get(worker)?.size ?? 0;
  }

  openStart(worker: string, key: number): OpenStart | undefined {
    return this.#open.get(worker)?.get(key);
  }

  isOpen(worker: string, key: number): boolean {
    return this.openStart(worker, key) !== undefined;
  }

  /** What coordinators must know of each other. */
  #note(event: JournalEvent): void {
    switch (event.event) {
      case "fence":
        this.#claim(event);
        break;
      case "shares":
        this.shares = new Map(Object.entries(event.shares));
        break;
      case "dead":
        this.dead.add(event.worker);
        break;
      case "known":
        for (const names of [this.dead, this.suspects, this.unknown]) names.delete(event.worker);
        break;
      case "unknown":
        this.unknown.set(event.worker, Math.max(event.starts, this.unknown.get(event.worker) ?? 0));
        this.suspects.delete(event.worker);
        break;
    }
  }

  #claim({ fence, server, local, suspects = {} }: FenceEvent): void {
    this.fence = Math.max(this.fence, fence);
    this.server = server ?? this.server;
    if (server !== undefined) this.local = local ?? null;
    for (const [worker, starts] of Object.entries(suspects)) this.suspects.set(worker, starts);
  }

  #retry(rowIndexes: readonly number[]): void {
    this.#retryFence = this.fence;
    for (const row of rowIndexes) {
      this.rows.unsettle(row);
      this.#history.delete(row);
    }
  }

  #isNew(worker: string, seq: number): boolean {
    if (seq <= this.lastSeq(worker)) return false;
    this.#lastSeq.set(worker, seq);
    return true;
  }

  #isRepeatedEnd(event: JournalEvent): boolean {
    if (event.event !== "settled" && event.event !== "attempt") return false;
    const { worker, key } = event;
    if (worker === undefined || key === undefined) return false;
    return this.#open.get(worker)?.has(key) === false;
  }

  /** Nobody can tell the ends of what is open: their rows are gone. */
  #clear(): void {
    for (const start of this.openStarts()) {
      const { rowIndex, customId, model, at, bound } = start;
      const call = { rowIndex, customId, model, at, usage: null, bound, errorKind: null };
      this.#listener.ended?.({ ...call, billing: "possible" }, start);
    }
    for (const [worker, starts] of this.suspects) this.unknown.set(worker, starts);
    for (const names of [this.#open, this.#history, this.suspects]) names.clear();
    this.shares = new Map();
    this.rows.clear();
    this.#listener.cleared?.();
  }

  #start({ worker, model, at, fence, rows }: StartedEvent): void {
    let open = this.#open.get(worker);
    if (open === undefined) this.#open.set(worker, (open = new Map()));
    for (const [rowIndex, key, customId, bound, lease] of rows) {
      const start = { worker, key, rowIndex, customId, model, bound: unpackBound(bound), at, fence, lease };
      open.set(key, start);
      this.#listener.started?.(start);
    }
  }

  #void({ worker, keys }: VoidEvent): void {
    for (const key of keys) {
      const start = this.#close(worker, key);
      if (start !== undefined) this.#listener.voided?.(start);
    }
  }

  #close(worker: string | undefined, key: number | undefined): OpenStart | undefined {
    if (worker === undefined || key === undefined) return undefined;
    const open = this.#open.get(worker);
    const start = open?.get(key);
    if (start !== undefined) open?.delete(key);
    return start;
  }

  #isOutdated(rowIndex: number, start: OpenStart | undefined): boolean {
    return this.rows.wasUnsettled(rowIndex) && (start === undefined || start.fence <= this.#retryFence);
  }

  #end(event: AttemptEvent): void {
    const start = this.#close(event.worker, event.key);
    const { rowIndex } = event;
    if (!this.rows.isSettled(rowIndex) && !this.#isOutdated(rowIndex, start)) {
      const before = this.history(rowIndex);
      this.#history.set(rowIndex, {
        ended: before.ended + (event.counts ? 1 : 0),
        unusable: before.unusable + (event.error?.kind === "invalid_output" ? 1 : 0),
        translated: event.translated ?? before.translated,
      });
    }
    const { customId, model, at, billing, usage } = event;
    const bound = event.callBound ?? start?.bound ?? null;
    const errorKind = event.counts ? (event.error?.kind ?? null) : null;
    this.#listener.ended?.({ rowIndex, customId, model, at, billing, usage, bound, errorKind }, start);
  }

  /** Whether it takes the place of the result that the row has. */
  #stands({ rowIndex, status }: SettledEvent, offset: number): boolean {
    const state = this.rows.state(rowIndex);
    if (state === RowState.unsettled || (state === RowState.failed && status === "succeeded")) return true;
    if (state === RowState.succeeded && status === "failed") return false;
    return fileOfOffset(offset).file > fileOfOffset(this.rows.locate(rowIndex)?.offset ?? offset).file;
  }

  #settle(event: SettledEvent, offset: number, length: number): void {
    const start = this.#close(event.worker, event.key);
    const { rowIndex, customId, model, billing, usage } = event;
    if (event.key !== undefined) {
      const bound = start?.bound ?? null;
      const errorKind = event.status === "failed" ? event.error.kind : null;
      const at = event.finishedAt;
      this.#listener.ended?.({ rowIndex, customId, model, at, billing, usage, bound, errorKind }, start);
      if (this.#isOutdated(rowIndex, start)) return;
    }
    if (!this.#stands(event, offset)) return;
    this.rows.settle(rowIndex, event.status, offset, length);
    this.#history.delete(rowIndex);
    this.#listener.settled?.(event, start);
  }
}
