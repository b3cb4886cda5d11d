import { describe, expect, it, vi } from "vitest";
import { createProvider, resolveEndpoint } from "../../src/provider/index.js";
import { PAYLOAD_VERSION, type QueuePayload } from "../../src/queue/payload.js";
import { openRedisQueueServer } from "../../src/queue/redis-queue.js";
import { silentLog } from "../../src/log.js";
import type { Simulator } from "../../src/simulator/index.js";
import { createPacer } from "../../src/worker/pace-create.js";
import { startRunWorker } from "../../src/worker/run-worker.js";
import { afterTest } from "../support/after-test.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { freshId } from "../support/temp-folder.js";
import { until } from "../support/until.js";

const LOCK_MS = 1_000;
const ROWS = 6;

function payload(rowIndex: number): QueuePayload {
  return {
    v: PAYLOAD_VERSION,
    rowIndex,
    customId: `row-${rowIndex}`,
    preset: null,
    request: {
      model: "qwen-plus",
      messages: [{ role: "user", content: `row ${rowIndex}` }],
      parameters: {},
    },
  };
}

/** Two workers of one run in this process, with locks of a second. */
async function twoWorkers(simulator: Simulator) {
  const server = await openRedisQueueServer(redisUrl());
  const queue = server.openRunQueue(freshId("locks"));
  await queue.enqueue(
    Array.from({ length: ROWS }, (_, row) => payload(row)),
    3,
  );
  const endpoint = resolveEndpoint(
    { provider: "simulator", region: null, protocol: "openai" },
    {},
    { PROMPTMILL_SIMULATOR_URL: simulator.url },
  );
  const provider = createProvider(endpoint, { apiKey: null, connections: 10 });
  const pacer = createPacer({
    redis: null,
    account: "test",
    limits: {},
    concurrency: 10,
    beginsSlowly: false,
    log: silentLog,
  });
  const strays: unknown[] = [];
  const workers = ["one", "two"].map((id) =>
    startRunWorker(queue, {
      id,
      concurrency: 3,
      isAlone: false,
      provider,
      pacer,
      attempts: 3,
      timeoutMs: 60_000,
      lockMs: LOCK_MS,
      onStray: async (jobId) => void strays.push(jobId),
      strayIsLocal: false,
      onRunError: () => Promise.resolve(),
      onError: () => {},
    }),
  );
  afterTest(async () => {
    await Promise.all(workers.map((worker) => worker.stop(1_000)));
    pacer.close();
    await provider.close();
    await queue.destroy();
    await queue.close();
    await server.close();
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
