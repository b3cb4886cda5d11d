import { silentLog } from "../../src/log.js";
import { createProvider, resolveEndpoint } from "../../src/provider/index.js";
import { openRedisQueueServer } from "../../src/queue/redis-queue.js";
import type { RunQueue } from "../../src/queue/run-queue.js";
import type { Simulator } from "../../src/simulator/index.js";
import { createPacer } from "../../src/worker/pace-create.js";
import { startRunWorker, type RunWorkerOptions } from "../../src/worker/run-worker.js";
import { payloadOf } from "../queue/queues.js";
import { afterTest } from "../support/after-test.js";
import { redisUrl } from "../support/redis-url.js";
import { freshId } from "../support/temp-folder.js";

const ATTEMPTS = 3;

export interface WorkersOfTest {
  readonly rows: number;
  readonly workers: readonly (Pick<RunWorkerOptions, "id" | "concurrency"> & Partial<RunWorkerOptions>)[];
}

/** Workers of one run on Redis in this process, with its rows queued; all gone after the test. */
export async function workersOn(
  simulator: Simulator,
  { rows, workers }: WorkersOfTest,
): Promise<{ queue: RunQueue }> {
  const server = await openRedisQueueServer(redisUrl());
  const queue = server.openRunQueue(freshId("workers"));
  await queue.enqueue(
    Array.from({ length: rows }, (_, row) => payloadOf(row)),
    ATTEMPTS,
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
  const started = workers.map((options) =>
    startRunWorker(queue, {
      isAlone: false,
      provider,
      pacer,
      attempts: ATTEMPTS,
      timeoutMs: 60_000,
      onStray: () => Promise.resolve(),
      strayIsLocal: false,
      onRunError: () => Promise.resolve(),
      onError: () => {},
      ...options,
    }),
  );
  afterTest(async () => {
    await Promise.all(started.map((worker) => worker.stop(1_000)));
    pacer.close();
    await provider.close();
    await queue.destroy();
    await queue.close();
    await server.close();
  });
  return { queue };
}
