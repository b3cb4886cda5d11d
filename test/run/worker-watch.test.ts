import { describe, expect, it } from "vitest";
import { ownIdentity } from "../../src/process-identity.js";
import type { WorkerReport } from "../../src/queue/registry.js";
import { WorkerWatch } from "../../src/run/worker-watch.js";

function report(beat: number, more: Partial<WorkerReport> = {}): WorkerReport {
  return { workerId: "w", refusal: null, concurrency: 8, beat, connectionName: "w", process: null, ...more };
}

/** Looks every two seconds, as a coordinator does, at a report that does not change any more. */
function silentFor(seconds: number, last: WorkerReport): WorkerWatch {
  const watch = new WorkerWatch();
  for (let at = 0; at <= seconds; at += 2) watch.look([last], at * 1000);
  return watch;
}

describe("a worker that gives no sign of life", () => {
  it("counts as there for ten seconds", () => {
    const watch = silentFor(8, report(1));
    expect(watch.there(9_000)).toHaveLength(1);
    expect(watch.there(10_000)).toEqual([]);
  });

  it("is dead once it is silent for long and the server has no connection of it", () => {
    const watch = silentFor(26, report(1));
    expect(watch.dead(26_000, new Set(["other"]))).toHaveLength(1);
  });

  it.each([
    ["keeps its connection, as one that is frozen or blocked does", report(1), new Set(["w"])],
    [
      "has a connection that the server does not name",
      report(1, { connectionName: null }),
      new Set<string>(),
    ],
    ["is on a server that does not tell its connections", report(1), null],
  ])("is not dead while it %s", (_why, last, connections) => {
    expect(silentFor(60, last).dead(60_000, connections)).toEqual([]);
  });

  it("is not dead when it has been looked for too rarely, by a coordinator that was blocked itself", () => {
    const watch = new WorkerWatch();
    watch.look([report(1)], 0);
    watch.look([report(1)], 40_000);
    expect(watch.dead(40_000, new Set())).toEqual([]);
  });

  it("is not dead right after an interruption, however long that was", () => {
    const watch = silentFor(26, report(1));
    watch.reset(26_000);
    expect(watch.dead(27_000, new Set())).toEqual([]);
    expect(watch.there(27_000)).toHaveLength(1);
  });

  it("lives on with its next sign", () => {
    const watch = silentFor(30, report(1));
    watch.look([report(2)], 32_000);
    expect(watch.dead(32_000, new Set())).toEqual([]);
    expect(watch.there(33_000)).toHaveLength(1);
  });
});

describe("a worker on the coordinator's own machine", () => {
  const own = ownIdentity();

  it("is dead as soon as its process has ended", () => {
    const gone = own === null ? null : { ...own, startTicks: "1" };
    const watch = silentFor(0, report(1, { process: gone }));
    expect(watch.dead(1, null)).toHaveLength(own === null ? 0 : 1);
  });

  it("is not dead while its process lives, nor when the process is another machine's or container's", () => {
    expect(silentFor(0, report(1, { process: own })).dead(1, null)).toEqual([]);
    const elsewhere = { pid: 1, startTicks: "1", space: "another boot" };
    expect(silentFor(0, report(1, { process: elsewhere })).dead(1, null)).toEqual([]);
  });
});
