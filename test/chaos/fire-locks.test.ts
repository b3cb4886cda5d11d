import { describe, expect, it, vi } from "vitest";
import type { Simulator } from "../../src/simulator/index.js";
import { afterTest } from "../support/after-test.js";
import { simulatedModel } from "../support/simulator.js";
import { until } from "../support/until.js";
import { workersOn } from "../worker/run-workers.js";

const LOCK_MS = 1_000;
const ROWS = 6;

/** Two workers of one run in this process, with locks of a second. */
async function twoWorkers(simulator: Simulator) {
  const strays: unknown[] = [];
  const { queue } = await workersOn(simulator, {
    rows: ROWS,
    workers: ["one", "two"].map((id) => ({
      id,
      concurrency: 3,
      lockMs: LOCK_MS,
      onStray: async (jobId) => void strays.push(jobId),
    })),
  });
  const finished = async (): Promise<number> => (await queue.finished(100, () => false)).length;
  return { finished, strays };
}

describe("locks", () => {
  it("outlast calls that take several times as long", async () => {
    const simulator = await simulatedModel({ latency: { kind: "fixed", ms: 4 * LOCK_MS } });
    const { finished, strays } = await twoWorkers(simulator);
    await until("all rows are finished", async () => (await finished()) === ROWS);
    expect(simulator.calls().total).toBe(ROWS);
    expect(strays).toEqual([]);
  });

  it.each([-3_600_000, 3_600_000])("outlast a clock that is set by %i ms", async (byMs) => {
    const simulator = await simulatedModel({ latency: { kind: "fixed", ms: 4 * LOCK_MS } });
    const { finished } = await twoWorkers(simulator);
    await until("calls are under way", () => simulator.calls().inFlight === ROWS);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
    afterTest(() => vi.useRealTimers());
    await until("all rows are finished", async () => (await finished()) === ROWS);
    expect(simulator.calls().total).toBe(ROWS);
  });
});
