import { describe, expect, it } from "vitest";
import { simulatedModel } from "../support/simulator.js";
import { until } from "../support/until.js";
import { workersOn } from "./run-workers.js";

const CONCURRENCY = 16;
const ROWS = 50;

describe("a worker that settles rows itself", () => {
  it("calls for no further row while as many answers as it makes calls are not on disk", async () => {
    const simulator = await simulatedModel();
    const unsettled: ((isSettled: boolean) => void)[] = [];
    const { queue } = await workersOn(simulator, {
      rows: ROWS,
      workers: [
        {
          id: "alone",
          concurrency: CONCURRENCY,
          isAlone: true,
          settle: () => new Promise((resolve) => unsettled.push(resolve)),
        },
      ],
    });
    await until("its calls are answered", () => unsettled.length >= CONCURRENCY);
    // Rows that it has at hand beyond these would be called at once, if they were.
    await until("more rows are at hand", async () => (await queue.queue.getActiveCount()) > CONCURRENCY);
    for (let settled = 0; settled < ROWS;) {
      expect(simulator.calls().total - settled).toBeLessThanOrEqual(CONCURRENCY);
      const settle = unsettled.shift();
      settle?.(true);
      if (settle !== undefined) settled++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(simulator.calls().total).toBe(ROWS);
  });
});
