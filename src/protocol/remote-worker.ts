import { onHub, onQueue, sleep, type Steps } from "./effects.js";
import { Unanswered, type Beat, type Fence, type StartReply, type WorkerView } from "./hub.js";
import { Outbox } from "./outbox.js";
import type { Timing } from "./timing.js";
import { WorkerCore, type Call, type WorkerWorld } from "./worker-core.js";

/** Refusals in a row for want of a slot, after which rows go back. */
const MOST_REFUSALS = 8;
const IDLE_MS = 60_000;

export interface RemoteWorkerOptions {
  readonly id: string;
  /** Calls that it can make at once. */
  readonly capacity: number;
  readonly timing: Timing;
  /** What its sign of life says beside. */
  readonly about?: () => unknown;
}

/**
 * A worker in another process than its coordinator. What it does goes through the run's hub, in one ordered outbox.
 *
 * It is *apart* (no fence is joined: it claims and starts nothing), *joined*, or *stopping*.
 *
 * Rules (by the tests' schedules):
 * 1. Nothing is called whose mark was not answered by the start gate. Unanswered, or answered late: the mark is voided.
 * 2. Events are kept until they are journaled; whoever joins a fence sends all that he keeps.
 * 3. No share, no claim. A lease is taken once, and only under the fence that put it.
 */
export class RemoteWorker {
  readonly core: WorkerCore;
  readonly outbox = new Outbox();
  readonly #options: RemoteWorkerOptions;
  readonly #had = new Set<string>();
  #fence: Fence | null = null;
  #beats = 0;
  #nextBeatAt = 0;
  #refusals = 0;
  #haltedFence: number | null = null;
  #mayAskAt = 0;

  constructor(options: RemoteWorkerOptions, world: WorkerWorld) {
    this.#options = options;
    this.core = new WorkerCore(world, (event, calls) => this.outbox.add(event, calls));
  }

  get isJoined(): boolean {
    return this.#fence !== null;
  }

  /** Nothing more is called; what is under way may end. */
  stop(): void {
    this.core.isStopping = true;
    this.core.world.wake();
  }

  /** What every row would meet was met here: nothing more starts under this fence, and the coordinator hears of it. */
  halt({
    code,
    message,
    hint,
  }: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string | undefined;
  }): void {
    if (this.#haltedFence === this.#fence?.number) return;
    this.#haltedFence = this.#fence?.number ?? null;
    this.core.share = 0;
    this.outbox.add({ event: "halted", code, message, ...(hint === undefined ? {} : { hint }) }, 0);
    this.core.world.wake();
  }

  /** Until it is stopped and all that it did is on the server. */
  *serve(): Steps {
    while (!(this.core.isStopping && this.core.isIdle && !this.outbox.hasUnsent)) {
      try {
        yield* this.#turn();
        yield* sleep(this.#restMs());
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        yield* sleep(this.#options.timing.retryMs);
      }
    }
  }

  /** Claims leases while there are free slots; runs beside `serve`. */
  *claimLeases(): Steps {
    while (!this.core.isStopping) {
      try {
        const isClaimed = yield* this.#claim();
        if (!isClaimed) yield* sleep(this.#options.timing.heartbeatMs / 4);
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        yield* sleep(this.#options.timing.retryMs);
      }
    }
  }

  *#turn(): Steps {
    const { core } = this;
    if (core.world.now() >= this.#nextBeatAt) yield* this.#beat();
    if (core.isStopping || core.share === 0 || this.#refusals > MOST_REFUSALS) {
      this.#refusals = 0;
      core.giveAllBack(core.isStopping ? "stopping" : "no_share");
    }
    core.fill();
    if (this.#fence === null) return;
    if (core.admittedRows.length > 0 && core.world.now() >= this.#mayAskAt) yield* this.#start();
    if (this.outbox.hasUnsent) yield* this.#append();
  }

  *#beat(): Steps {
    const { id, capacity, timing, about } = this.#options;
    const { core } = this;
    const beat: Beat = {
      beat: ++this.#beats,
      fence: this.#fence?.number ?? 0,
      leases: core.leases(),
      capacity: core.isStopping ? 0 : capacity,
      ...(about === undefined ? {} : { about: about() }),
    };
    const view: WorkerView = yield* onHub((hub) => hub.beat(id, beat));
    this.#nextBeatAt = core.world.now() + timing.heartbeatMs;
    const { fence, server, share, acked } = view;
    if (fence === null) return;
    if (this.#isJoinedTo(fence)) this.outbox.acknowledge(acked);
    else if (fence.server === server) yield* this.#join(fence);
    if (this.#isJoinedTo(fence))
      core.share = this.#haltedFence === fence.number ? 0 : Math.min(share, capacity);
  }

  #isJoinedTo(fence: Fence): boolean {
    const joined = this.#fence;
    return joined?.number === fence.number && joined.nonce === fence.nonce && joined.server === fence.server;
  }

  *#join(fence: Fence): Steps {
    const { core, outbox } = this;
    core.keepFence(fence.number);
    core.share = 0;
    const lines = outbox.all();
    const unsafe = core.unsafe;
    const calls = core.calls.size;
    if (!(yield* onHub((hub) => hub.join(this.#options.id, { fence, lines, calls })))) return;
    outbox.sent(lines);
    core.free(unsafe);
    this.#fence = fence;
    this.#nextBeatAt = 0; // so that the coordinator hears of it at once
  }

  /** Asks, then calls: granted or refused at one point on the server, in order with drops and fences. */
  *#start(): Steps {
    const { core, outbox } = this;
    const { id, timing } = this.#options;
    const fence = this.#fence as Fence;
    const calls = core.admittedRows.map((row) => core.newCall(row));
    core.admittedRows = [];
    const unsafe = core.unsafe;
    const marks = core.marks(calls);
    for (const mark of marks) outbox.add(mark, "rows" in mark ? mark.rows.length : 0);
    const lines = outbox.unsent();
    const leases = [...new Set(calls.map(({ taken }) => taken.lease.number))];
    const rows = calls.map(({ task }) => task.rowIndex);
    const askedAt = core.world.now();
    let reply: StartReply;
    try {
      reply = yield* onHub((hub) => hub.start(id, { fence, leases, rows, lines }));
    } catch (error) {
      this.#void(calls);
      throw error;
    }
    if (!reply.isGranted) {
      outbox.remove(lines, marks.length);
      this.#refused(calls, reply);
      return;
    }
    this.#refusals = 0;
    outbox.sent(lines);
    core.free(unsafe);
    if (core.world.now() - askedAt > timing.sendMs) this.#void(calls);
    else core.called(calls);
  }

  #void(calls: readonly Call[]): void {
    this.outbox.add({ event: "void", keys: calls.map(({ key }) => key) }, -calls.length);
    this.core.notYet(calls);
  }

  #refused(calls: readonly Call[], reply: Exclude<StartReply, { isGranted: true }>): void {
    const { core } = this;
    core.notYet(calls);
    if (reply.reason === "withdrawn") core.forget(reply.rows);
    else {
      this.#refusals++;
      this.#mayAskAt = core.world.now() + this.#options.timing.heartbeatMs / 4;
      this.#nextBeatAt = 0; // the fence or the share is another
    }
  }

  *#append(): Steps {
    const lines = this.outbox.unsent();
    const { unsafe } = this.core;
    const server = (this.#fence as Fence).server;
    if (yield* onHub((hub) => hub.append(this.#options.id, server, lines))) {
      this.outbox.sent(lines);
      this.core.free(unsafe);
    } else {
      this.#fence = null;
      this.#nextBeatAt = 0;
    }
  }

  *#claim(): Steps<boolean> {
    const { core } = this;
    const fence = this.#fence;
    if (fence === null || core.share === 0 || core.readyRows >= core.share / 8) return false;
    const lease = yield* onQueue((queue) => queue.claim());
    if (lease === null) return false;
    const name = `${lease.fence}-${lease.number}`;
    if (core.isStopping || this.#fence !== fence || lease.fence !== fence.number || this.#had.has(name)) {
      core.world.complete(lease); // void, or taken before: the coordinator puts its rows again
      return true;
    }
    this.#had.add(name);
    core.take(lease);
    core.world.wake();
    return true;
  }

  #restMs(): number {
    const { core } = this;
    const now = core.world.now();
    const dueAt = Math.min(
      this.#nextBeatAt,
      core.nextDueAt ?? Infinity,
      this.outbox.hasUnsent && this.#fence !== null ? now : Infinity,
    );
    return Math.max(0, Math.min(IDLE_MS, dueAt - now));
  }
}
