import { flush, onQueue, sleep, type Steps } from "./effects.js";
import { Unanswered } from "./hub.js";
import type { OwnEvent } from "./outbox.js";
import type { Lease, WorkerEvent } from "./events.js";
import type { Timing } from "./timing.js";
import { WorkerCore, type WorkerWorld } from "./worker-core.js";

const IDLE_MS = 60_000;

/** What a local worker asks its coordinator, which is in the same process. */
export interface LocalGate {
  /** Number of the current fence; 0: nothing may start now. */
  readonly fence: number;
  readonly share: number;
  isLive(lease: Lease): boolean;
  isSettled(rowIndex: number): boolean;
  /** Writes events to the journal. */
  record(events: readonly WorkerEvent[]): Steps;
}

/**
 * The worker in its coordinator's own process: the start gate is a look at the coordinator, and events go straight to the journal.
 *
 * A mark is written before its calls go out; the flush is shared. A slot is free when the end of its call is flushed.
 */
export class LocalWorker {
  readonly core: WorkerCore;
  readonly #id: string;
  readonly #gate: LocalGate;
  readonly #timing: Timing;
  #events: WorkerEvent[] = [];
  /** Ended calls whose events are written, and not flushed. */
  #written = 0;

  constructor(id: string, gate: LocalGate, timing: Timing, world: WorkerWorld) {
    this.#id = id;
    this.#gate = gate;
    this.#timing = timing;
    this.core = new WorkerCore(world, (event) => this.#emit(event));
  }

  get id(): string {
    return this.#id;
  }

  stop(): void {
    this.core.isStopping = true;
    this.core.world.wake();
  }

  get isDone(): boolean {
    return this.core.isStopping && this.core.isIdle && this.#events.length === 0;
  }

  *serve(): Steps {
    while (!this.isDone) {
      yield* this.#turn();
      yield* sleep(this.#restMs());
    }
  }

  /** Frees slots as ends of calls are flushed; runs beside `serve`. */
  *freeSlots(): Steps {
    while (!this.isDone) {
      const ended = this.#written;
      if (ended > 0) {
        yield* flush();
        this.#written -= ended;
        this.core.free(ended);
        this.core.world.wake();
      } else yield* sleep(IDLE_MS);
    }
  }

  /** Claims leases while there are free slots; runs beside `serve`. */
  *claimLeases(): Steps {
    const { core } = this;
    while (!core.isStopping) {
      try {
        if (!(yield* this.#claim())) yield* sleep(this.#timing.heartbeatMs / 4);
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        yield* sleep(this.#timing.retryMs);
      }
    }
  }

  *#turn(): Steps {
    const { core } = this;
    const { fence } = this.#gate;
    core.share = this.#gate.share;
    if (fence !== 0) core.keepFence(fence);
    if (core.isStopping || core.share === 0) core.giveAllBack(core.isStopping ? "stopping" : "no_share");
    do core.fill();
    while (fence !== 0 && this.#discardVoid()); // their slots are free for others
    if (fence === 0 || core.admittedRows.length === 0) {
      yield* this.#write([]);
      return;
    }
    const calls = core.admittedRows.map((row) => core.newCall(row));
    core.admittedRows = [];
    const askedAt = core.world.now();
    yield* this.#write(core.marks(calls));
    if (core.world.now() - askedAt <= this.#timing.sendMs && this.#gate.fence === fence) core.called(calls);
    else {
      this.#emit({ event: "void", keys: calls.map(({ key }) => key) });
      core.notYet(calls);
    }
  }

  /** Lets go of admitted rows that are not this worker's any more, or settled. Returns whether there were some. */
  #discardVoid(): boolean {
    const { core } = this;
    const before = core.admittedRows.length;
    core.admittedRows = core.admittedRows.filter((row) => {
      if (this.#gate.isLive(row.taken.lease) && !this.#gate.isSettled(row.task.rowIndex)) return true;
      core.world.dismiss(row);
      core.discard(row);
      return false;
    });
    return core.admittedRows.length < before;
  }

  *#write(marks: readonly OwnEvent[]): Steps {
    for (const mark of marks) this.#emit(mark);
    const events = this.#events;
    if (events.length === 0) return;
    this.#events = [];
    const ended = this.core.unsafe - this.#written;
    yield* this.#gate.record(events);
    this.#written += ended;
    if (ended > 0) this.core.world.wake();
  }

  #emit(event: OwnEvent): void {
    this.#events.push(Object.assign(event, { worker: this.#id }) as WorkerEvent);
  }

  *#claim(): Steps<boolean> {
    const { core } = this;
    const { fence } = this.#gate;
    if (fence === 0 || core.share === 0 || core.readyRows >= core.share / 8) return false;
    const lease = yield* onQueue((queue) => queue.claim());
    if (lease === null) return false;
    if (core.isStopping || !this.#gate.isLive(lease)) {
      core.world.complete(lease);
      return true;
    }
    core.take(lease);
    core.world.wake();
    return true;
  }

  #restMs(): number {
    const { core } = this;
    if (this.#events.length > 0) return 0;
    // Nobody says that the run lock was verified again.
    const most = core.admittedRows.length > 0 ? this.#timing.heartbeatMs : IDLE_MS;
    return Math.max(0, Math.min(most, (core.nextDueAt ?? Infinity) - core.world.now()));
  }
}
