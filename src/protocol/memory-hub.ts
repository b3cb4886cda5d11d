import {
  isSameFence,
  type Ack,
  type Beat,
  type ClaimReply,
  type Fence,
  type Hub,
  type HubView,
  type Join,
  type Lines,
  type OutboxPart,
  type StartReply,
  type StartRequest,
  type WorkerCalls,
  type WorkerView,
} from "./hub.js";

interface WorkerState {
  share: number;
  /** Calls under way. */
  calls: number;
  beat: Beat | null;
  /** Lines from number `acked + 1` on. */
  outbox: string[];
  acked: number;
}

/**
 * The hub in memory: of a run that one process serves alone, and the meaning that the scripts on Redis must have
 * (one suite of tests holds both to it).
 */
export class MemoryHub implements Hub {
  #fence: Fence | null = null;
  #live = new Set<number>();
  #withdrawn = new Set<number>();
  #workers = new Map<string, WorkerState>();
  readonly #server: () => string;

  constructor(server: () => string) {
    this.#server = server;
  }

  server(): string {
    return this.#server();
  }

  claim(fence: Fence): ClaimReply {
    if (fence.server !== this.#server() || (this.#fence !== null && this.#fence.number >= fence.number))
      return { isClaimed: false, fence: this.#fence?.number ?? 0 };
    this.#fence = fence;
    this.#live.clear();
    this.#withdrawn.clear();
    for (const worker of this.#workers.values()) worker.share = worker.calls = 0;
    return { isClaimed: true };
  }

  look(): HubView {
    const beats: Record<string, Beat> = {};
    for (const [worker, { beat }] of this.#workers) if (beat !== null) beats[worker] = beat;
    return { server: this.#server(), fence: this.#fence, beats };
  }

  read(fence: Fence, most: number): OutboxPart[] | null {
    if (!this.#isHeld(fence)) return null;
    return [...this.#workers]
      .filter(([, { outbox }]) => outbox.length > 0)
      .map(([worker, { outbox, acked }]) => ({ worker, from: acked + 1, lines: outbox.slice(0, most) }));
  }

  acknowledge(fence: Fence, acks: readonly Ack[]): boolean {
    if (!this.#isHeld(fence)) return false;
    for (const { worker, seq } of acks) {
      const state = this.#worker(worker);
      const lines = Math.min(seq - state.acked, state.outbox.length);
      if (lines <= 0) continue;
      state.outbox.splice(0, lines);
      state.acked += lines;
    }
    return true;
  }

  makeLive(fence: Fence, live: readonly number[], ended: readonly number[]): boolean {
    if (!this.#isHeld(fence)) return false;
    for (const lease of live) this.#live.add(lease);
    for (const lease of ended) this.#live.delete(lease);
    return true;
  }

  drop(fence: Fence, leases: readonly number[], workers: readonly string[]): WorkerCalls | null {
    if (!this.#isHeld(fence)) return null;
    for (const lease of leases) this.#live.delete(lease);
    for (const worker of workers) {
      const state = this.#worker(worker);
      state.share = 0;
      state.beat = null;
    }
    return this.#callsOf(workers);
  }

  share(fence: Fence, shares: Readonly<Record<string, number>>): WorkerCalls | null {
    if (!this.#isHeld(fence)) return null;
    for (const [worker, share] of Object.entries(shares)) this.#worker(worker).share = share;
    return this.#callsOf(Object.keys(shares));
  }

  withdraw(fence: Fence, rows: readonly number[]): boolean {
    if (!this.#isHeld(fence)) return false;
    for (const row of rows) this.#withdrawn.add(row);
    return true;
  }

  destroy(): void {
    this.#fence = null;
    this.#live.clear();
    this.#withdrawn.clear();
    this.#workers.clear();
  }

  beat(worker: string, beat: Beat): WorkerView {
    const state = this.#worker(worker);
    state.beat = beat;
    return { server: this.#server(), fence: this.#fence, share: state.share, acked: state.acked };
  }

  join(worker: string, { fence, lines, calls }: Join): boolean {
    if (!this.#isHeld(fence)) return false;
    const state = this.#worker(worker);
    state.outbox = [...lines.texts];
    state.acked = lines.from - 1;
    state.calls = calls;
    return true;
  }

  leave(worker: string): void {
    const state = this.#worker(worker);
    state.share = 0;
    state.beat = null;
  }

  append(worker: string, server: string, lines: Lines): boolean {
    const state = this.#worker(worker);
    if (server !== this.#server() || isGap(state, lines)) return false;
    this.#append(state, lines);
    return true;
  }

  start(worker: string, { fence, leases, rows, lines }: StartRequest): StartReply {
    if (!this.#isHeld(fence) || !leases.every((lease) => this.#live.has(lease)))
      return { isGranted: false, reason: "stale" };
    const withdrawn = rows.filter((row) => this.#withdrawn.has(row));
    if (withdrawn.length > 0) return { isGranted: false, reason: "withdrawn", rows: withdrawn };
    const state = this.#worker(worker);
    if (isGap(state, lines)) return { isGranted: false, reason: "stale" };
    const change = this.#newCalls(state, lines).reduce((sum, calls) => sum + calls, 0);
    if (state.calls + change > state.share) return { isGranted: false, reason: "share" };
    this.#append(state, lines);
    return { isGranted: true };
  }

  /** Changes of the lines that the outbox has not. */
  #newCalls({ acked, outbox }: WorkerState, { from, calls }: Lines): readonly number[] {
    return calls.slice(Math.max(0, acked + outbox.length + 1 - from));
  }

  #append(state: WorkerState, lines: Lines): void {
    for (const calls of this.#newCalls(state, lines)) state.calls += calls;
    state.outbox.push(...lines.texts.slice(Math.max(0, state.acked + state.outbox.length + 1 - lines.from)));
  }

  #isHeld(fence: Fence): boolean {
    return isSameFence(fence, this.#fence) && fence.server === this.#server();
  }

  #callsOf(workers: readonly string[]): WorkerCalls {
    return Object.fromEntries(workers.map((worker) => [worker, this.#worker(worker).calls]));
  }

  #worker(name: string): WorkerState {
    let state = this.#workers.get(name);
    if (state === undefined) {
      state = { share: 0, calls: 0, beat: null, outbox: [], acked: 0 };
      this.#workers.set(name, state);
    }
    return state;
  }

  /** For the simulation: what a server holds, to be put back when it loses what came later. */
  copy(): MemoryHub {
    const copy = new MemoryHub(this.#server);
    copy.#fence = this.#fence;
    copy.#live = new Set(this.#live);
    copy.#withdrawn = new Set(this.#withdrawn);
    for (const [name, state] of this.#workers)
      copy.#workers.set(name, { ...state, outbox: [...state.outbox] });
    return copy;
  }
}

/** The server was emptied since the worker joined. */
function isGap({ acked, outbox }: WorkerState, { from }: Lines): boolean {
  return from > acked + outbox.length + 1;
}
