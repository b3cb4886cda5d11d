import { randomUUID } from "node:crypto";
import { RedisHub } from "../../src/fleet/redis-hub.js";
import { Coordinator } from "../../src/protocol/coordinator.js";
import type { Effect, WrittenEvent } from "../../src/protocol/effects.js";
import type { JournalEvent, WorkerEvent } from "../../src/protocol/events.js";
import { Unanswered } from "../../src/protocol/hub.js";
import { RemoteWorker } from "../../src/protocol/remote-worker.js";
import { RowTable } from "../../src/protocol/row-table.js";
import type { Timing } from "../../src/protocol/timing.js";
import type { Call, WorkerCore, WorkerWorld } from "../../src/protocol/worker-core.js";
import { SimServer } from "../protocol/simulation/server.js";
import { resultOf, taskOf } from "../protocol/simulation/tasks.js";
import { Driver, type Perform } from "./driver.js";
import { openConnection } from "./hubs.js";

/** Nobody is taken for dead because this machine is slow. */
const TIMING: Timing = {
  heartbeatMs: 40,
  deadMs: 60_000,
  lockMs: 60_000,
  callMs: 60_000,
  sendMs: 5_000,
  retryMs: 20,
  claimMs: 1_000,
};
const CONCURRENCY = 12;
const LEASE_ROWS = 5;
const ATTEMPTS = 3;

type HubEffect = Extract<Effect, { kind: "hub" }>;

export interface TestRunOptions {
  readonly url: string;
  readonly rows: number;
  /** After so long a silent server is given up. */
  readonly timeoutMs?: number;
}

/** A run of the protocol on a Redis: its journal, queue and model are in this process. */
export class TestRun {
  readonly journal: JournalEvent[] = [];
  /** Keys of the calls that were made, `<worker>:<key>`. */
  readonly calls: string[] = [];
  /** What must not have happened. */
  readonly findings: string[] = [];
  /** Steps on the server that were not answered. */
  unanswered = 0;
  readonly #options: TestRunOptions;
  readonly #identity = randomUUID();
  readonly #queue = new SimServer("server").queue;
  readonly #calledRows = new Set<number>();
  readonly #answeredRows = new Set<number>();

  constructor(options: TestRunOptions) {
    this.#options = options;
  }

  /** Until every row is settled and the workers have told all. */
  async coordinate(): Promise<void> {
    const hub = await this.#openHub();
    const driver = new Driver(this.#performer(hub));
    const coordinator = new Coordinator(
      {
        nonce: "coordinator",
        rows: this.#options.rows,
        concurrency: CONCURRENCY,
        attempts: ATTEMPTS,
        timing: TIMING,
        local: null,
        isPredecessorDead: true,
        rowTable: new RowTable(),
        listener: {},
      },
      {
        now: () => performance.now(),
        time: () => new Date().toISOString(),
        left: () => driver.wake(),
        mayOffer: () => driver.wake(),
        parse: (text) => JSON.parse(text) as WorkerEvent,
        hasEnded: () => false,
        warn: () => {},
        halted: () => {},
      },
    );
    const { state } = coordinator;
    const threads = [driver.run(coordinator.coordinate()), driver.run(coordinator.keepLock())];
    const isOpen = (): boolean => [...state.ledger.openStarts()].length > 0;
    while (!state.isAllSettled || isOpen()) {
      if (state.isReady) this.#offer(coordinator);
      await driver.sleep(10);
    }
    state.stopped = "ended";
    driver.wake();
    await Promise.all(threads);
  }

  /** Until `signal` aborts and all that it did is in its outbox. */
  async work(id: string, signal: AbortSignal): Promise<void> {
    const hub = await this.#openHub();
    const driver = new Driver(this.#performer(hub));
    const world = this.#world(id, driver, () => worker.core);
    const worker = new RemoteWorker({ id, capacity: CONCURRENCY, timing: TIMING }, world);
    signal.addEventListener("abort", () => worker.stop());
    await Promise.all([driver.run(worker.serve()), driver.run(worker.claimLeases())]);
    await hub.leave(id);
  }

  async #openHub(): Promise<RedisHub> {
    const { url, timeoutMs } = this.#options;
    return new RedisHub(await openConnection(url, timeoutMs), this.#identity);
  }

  #offer({ state }: Coordinator): void {
    const free: number[] = [];
    for (let row = 0; row < this.#options.rows && free.length < 4 * LEASE_ROWS; row++) {
      if (state.isSettled(row) || state.ledger.rows.leaseOf(row) !== 0) continue;
      const placing = state.placing(row);
      if (placing === "alone") state.offer([state.renewed(taskOf(row, 0))], true);
      else if (placing === "free") free.push(row);
    }
    for (let from = 0; from < free.length && state.leases.size < 2 * CONCURRENCY; from += LEASE_ROWS) {
      const rows = free.slice(from, from + LEASE_ROWS);
      state.offer(
        rows.map((row) => state.renewed(taskOf(row, 0))),
        false,
      );
    }
  }

  #performer(hub: RedisHub): Perform {
    return (effect) => {
      switch (effect.kind) {
        case "hub":
          return this.#ask(effect, hub);
        case "queue":
          return effect.step(this.#queue);
        case "write":
          return this.#write(effect.events);
        case "lock":
          return true;
        case "merge":
          return [];
        case "flush":
          return undefined;
      }
    };
  }

  async #ask({ step }: HubEffect, hub: RedisHub): Promise<unknown> {
    try {
      return await step(hub);
    } catch (error) {
      if (error instanceof Unanswered) this.unanswered++;
      throw error;
    }
  }

  #write(events: readonly WrittenEvent[]): { offset: number; length: number }[] {
    return events.map(({ event, text }) => {
      const offset = this.journal.length;
      this.journal.push(text === undefined ? event : (JSON.parse(text) as JournalEvent));
      return { offset, length: 1 };
    });
  }

  /** A model that answers after some milliseconds, and fails one call in five. */
  #world(id: string, driver: Driver, core: () => WorkerCore): WorkerWorld {
    return {
      now: () => performance.now(),
      time: () => new Date().toISOString(),
      admit: (row) => setImmediate(() => core().admitted(row)),
      dismiss: () => {},
      complete: (lease) => this.#queue.complete(lease),
      wake: () => driver.wake(),
      call: (call) => {
        this.#called(id, call);
        setTimeout(() => this.#end(call, core()), 2 + ((call.key * 7) % 15));
      },
    };
  }

  #called(id: string, { key, task: { rowIndex } }: Call): void {
    this.calls.push(`${id}:${key}`);
    if (this.#calledRows.has(rowIndex)) this.findings.push(`${rowIndex} is called twice at once`);
    if (this.#answeredRows.has(rowIndex)) this.findings.push(`${rowIndex} is called again`);
    this.#calledRows.add(rowIndex);
    if (this.#calledRows.size > CONCURRENCY) this.findings.push("too many calls at once");
  }

  #end(call: Call, core: WorkerCore): void {
    const { ended, rowIndex } = call.task;
    this.#calledRows.delete(rowIndex);
    if (call.key % 5 !== 0 || ended + 1 >= ATTEMPTS) {
      this.#answeredRows.add(rowIndex);
      core.ended(call, { kind: "settled", billing: "billed", result: resultOf(call.task, "answer") });
      return;
    }
    const attempt = { at: "2026-01-01T00:00:00.000Z", counts: true, billing: "free", usage: null } as const;
    core.ended(call, { kind: "again", waitMs: 5, attempt, task: { ...call.task, ended: ended + 1 } });
  }
}
