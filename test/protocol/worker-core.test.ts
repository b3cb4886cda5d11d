import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Lease } from "../../src/protocol/events.js";
import type { OwnEvent } from "../../src/protocol/outbox.js";
import { WorkerCore, type Call, type WorkerRow, type WorkerWorld } from "../../src/protocol/worker-core.js";
import { resultOf, taskOf, TIME } from "./simulation/tasks.js";

/** What a worker asks of its surroundings, answered by hand. */
class World implements WorkerWorld {
  readonly asked: WorkerRow[] = [];
  readonly dismissed: number[] = [];
  readonly called: Call[] = [];
  readonly completed: number[] = [];
  readonly events: OwnEvent[] = [];
  readonly core = new WorkerCore(this, (event) => this.events.push(event));
  time = (): string => TIME;
  wakes = 0;
  at = 0;

  now(): number {
    return this.at;
  }

  admit(row: WorkerRow): void {
    this.asked.push(row);
  }

  dismiss({ task }: WorkerRow): void {
    this.dismissed.push(task.rowIndex);
  }

  call(call: Call): void {
    this.called.push(call);
  }

  complete({ number }: Lease): void {
    this.completed.push(number);
  }

  wake(): void {
    this.wakes++;
  }

  /** Lets all rows through that wait for the rate limiter, and calls those that are admitted. */
  start(): void {
    this.core.fill();
    for (const row of this.asked.splice(0)) this.core.admitted(row);
    const calls = this.core.admittedRows.splice(0).map((row) => this.core.newCall(row));
    this.core.marks(calls);
    this.core.called(calls);
  }

  end(call: Call, isFree = true): void {
    this.called.splice(this.called.indexOf(call), 1);
    this.core.ended(call, { kind: "settled", billing: "billed", result: resultOf(call.task, "fine") });
    if (isFree) this.core.free(1);
  }

  again(call: Call, waitMs: number): void {
    this.called.splice(this.called.indexOf(call), 1);
    const attempt = { at: TIME, counts: true, billing: "free", usage: null } as const;
    this.core.ended(call, { kind: "again", waitMs, attempt, task: call.task });
    this.core.free(1);
  }

  get rows(): number[] {
    return this.called.map(({ task }) => task.rowIndex);
  }
}

function lease(number: number, rows: readonly number[], isAlone = false, fence = 1): Lease {
  return { number, fence, isAlone, rows: rows.map((row) => taskOf(row, 0)) };
}

function worker(share: number, ...leases: readonly Lease[]): World {
  const world = new World();
  world.core.keepFence(1);
  world.core.share = share;
  for (const one of leases) world.core.take(one);
  return world;
}

describe("WorkerCore", () => {
  it("calls as many rows as it has slots, in order", () => {
    const world = worker(2, lease(1, [0, 1, 2]));
    world.start();
    expect(world.rows).toEqual([0, 1]);
    expect(world.core.readyRows).toBe(1);
  });

  it("gives a slot to the next row once the events of the call that had it are safe", () => {
    const world = worker(1, lease(1, [0, 1]));
    world.start();
    world.end(world.called[0] as Call, false);
    world.start();
    expect(world.rows).toEqual([]);
    world.core.free(1);
    world.start();
    expect(world.rows).toEqual([1]);
    expect(world.completed).toEqual([]);
    world.end(world.called[0] as Call);
    expect(world.completed).toEqual([1]);
  });

  it("has a slot for a row from when it asks until its call's events are safe", () => {
    const world = worker(1, lease(1, [0, 1]));
    world.core.fill();
    expect(world.core.used).toBe(1);
    world.core.admitted(world.asked[0] as WorkerRow);
    const calls = world.core.admittedRows.splice(0).map((row) => world.core.newCall(row));
    world.core.marks(calls);
    expect(world.core.used).toBe(1);
    world.core.notYet(calls);
    expect(world.core.used).toBe(1);
    world.core.fill();
    expect(world.asked).toHaveLength(1);
  });

  it("holds no slot for a row that waits for its next attempt", () => {
    const world = worker(1, lease(1, [0, 1]));
    world.start();
    world.again(world.called[0] as Call, 10);
    world.start();
    expect(world.rows).toEqual([1]);
    world.end(world.called[0] as Call);
    world.start();
    expect(world.rows).toEqual([]);
    expect(world.core.nextDueAt).toBe(10);
    world.at = 10;
    world.start();
    expect(world.rows).toEqual([0]);
  });

  it("calls a row that is to run alone when nothing else is called, and nothing else meanwhile", () => {
    const world = worker(3, lease(1, [0, 1]), lease(2, [2], true), lease(3, [3, 4]));
    world.start();
    expect(world.rows).toEqual([0, 1]);
    world.end(world.called[0] as Call);
    world.start();
    expect(world.rows).toEqual([1]);
    world.end(world.called[0] as Call);
    world.start();
    expect(world.rows).toEqual([2]);
    world.again(world.called[0] as Call, 5);
    world.start();
    expect(world.rows).toEqual([3, 4]); // while it waits, others may run
    world.at = 5;
    world.start();
    expect(world.rows).toEqual([3, 4]);
    for (const call of [...world.called]) world.end(call);
    world.start();
    expect(world.rows).toEqual([2]);
  });

  it("gives back what is not being called, lease by lease", () => {
    const world = worker(1, lease(1, [0, 1]), lease(2, [2]));
    world.start();
    world.core.giveAllBack("stopping");
    expect(world.events).toMatchObject([
      { event: "returned", lease: 1, rows: [1], reason: "stopping" },
      { event: "returned", lease: 2, rows: [2], reason: "stopping" },
    ]);
    expect(world.completed).toEqual([2]);
    expect(world.core.leases()).toEqual([1]);
  });

  it("lets go of rows of an earlier fence wherever they are, and never starts them under a new lease's number", () => {
    const world = worker(2, lease(1, [0, 1, 2]));
    world.start();
    world.again(world.called[0] as Call, 0);
    world.core.fill();
    world.core.keepFence(2);
    world.core.take(lease(1, [7], false, 2));
    expect(world.core.leases()).toEqual([1]);
    for (const row of world.asked.splice(0)) world.core.admitted(row);
    expect(world.dismissed).toEqual([2]);
    world.again(world.called[0] as Call, 0);
    world.start();
    expect(world.rows).toEqual([7]);
    expect(world.core.nextDueAt).toBeNull();
    expect(world.completed).toEqual([1]);
  });

  it("marks the calls of each model apart, under keys of their own", () => {
    const [first, second] = lease(1, [0, 1]).rows as [Lease["rows"][0], Lease["rows"][0]];
    const other = { ...second, request: { ...second.request, model: "n" } };
    const world = worker(2, { ...lease(1, []), rows: [first, other] });
    world.core.fill();
    for (const row of world.asked.splice(0)) world.core.admitted(row);
    const marks = world.core.marks(world.core.admittedRows.splice(0).map((row) => world.core.newCall(row)));
    expect(marks).toMatchObject([
      { model: "m", rows: [[0, 1, "id-0", [1, 1, 1], 1]] },
      { model: "n", rows: [[1, 2, "id-1", [1, 1, 1], 1]] },
    ]);
  });

  it("never calls more than its share, and brings every row to an end", () => {
    const step = fc.constantFrom("fill", "admit", "refuse", "call", "end", "again", "free", "more", "less");
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.array(fc.boolean(), { maxLength: 6 }),
        (steps, alone) => {
          const leases = alone.map((isAlone, index) =>
            lease(index + 1, isAlone ? [index] : [index, 10 + index], isAlone),
          );
          const world = worker(2, ...leases);
          const { core } = world;
          let unsafe = 0;
          let most = 2;
          for (const one of steps) {
            if (one === "fill") core.fill();
            else if (one === "admit" && world.asked.length > 0)
              core.admitted(world.asked.shift() as WorkerRow);
            else if (one === "refuse" && world.asked.length > 0)
              core.refused(world.asked.shift() as WorkerRow);
            else if (one === "call") {
              const calls = core.admittedRows.splice(0).map((row) => core.newCall(row));
              core.marks(calls);
              core.called(calls);
            } else if (one === "end" && world.called.length > 0) {
              world.end(world.called[0] as Call, false);
              unsafe++;
            } else if (one === "again" && world.called.length > 0) world.again(world.called[0] as Call, 0);
            else if (one === "free") core.free(unsafe - (unsafe = 0));
            else if (one === "more") most = core.share = 3;
            else if (one === "less") core.share = 1;
            expect(world.called.length).toBeLessThanOrEqual(most);
            const isAlone = world.called.some(({ taken }) => taken.lease.isAlone);
            if (isAlone) expect(world.called).toHaveLength(1);
          }
          core.share = 3;
          core.free(unsafe);
          for (let turn = 0; turn < 40; turn++) {
            world.start();
            for (const call of [...world.called]) world.end(call);
          }
          expect(core.isIdle).toBe(true);
          expect(world.completed.toSorted((a, b) => a - b)).toEqual(leases.map(({ number }) => number));
        },
      ),
    );
  });
});
