import { afterEach, beforeAll, beforeEach } from "vitest";
import { PAYLOAD_VERSION, type QueuePayload } from "../../src/queue/payload.js";
import { queueJobId } from "../../src/queue/names.js";
import { openQueueServer } from "../../src/queue/queue-server.js";
import type { RowWorker } from "../../src/queue/row-worker.js";
import type { QueueServer, RowProcessor, RowWorkerOptions, RunQueue } from "../../src/queue/run-queue.js";
import type { Result } from "../../src/types.js";
import { afterFile } from "../support/after-test.js";
import { redisUrl } from "../support/redis-url.js";
import { freshId, tempFolderOfFile } from "../support/temp-folder.js";
import { until } from "../support/until.js";

export const queueKinds = ["embedded", "redis"] as const;

/** One run's queue on one kind of server, fresh for each test; see `useQueue`. */
export interface QueueUnderTest {
  readonly queue: RunQueue;
  readonly server: QueueServer;
  readonly id: (rowIndex: number) => string;
  enqueue(rowIndexes: readonly number[], attempts?: number): Promise<void>;
  work(processor: RowProcessor, options?: Partial<RowWorkerOptions>): RowWorker;
  /** Waits until so many jobs are finished, and returns their results and failures by row. */
  finished(count: number): Promise<Map<string, Result | string>>;
}

/**
 * Opens one server for the file and one queue for each test. A test that leaves a worker open fails.
 * `url`: of a Redis of the file's own.
 */
export function useQueue(
  kind: (typeof queueKinds)[number],
  url: () => Promise<string> = () => Promise.resolve(redisUrl()),
): QueueUnderTest {
  let server: QueueServer;
  let queue: RunQueue;
  let workers: RowWorker[];
  beforeAll(async () => {
    const embeddedRoot = await tempFolderOfFile();
    server = await openQueueServer({ url: kind === "redis" ? await url() : null, embeddedRoot });
    afterFile(() => server.close());
  });
  beforeEach(() => {
    queue = server.openRunQueue(freshId("queue"));
    workers = [];
  });
  afterEach(async () => {
    const open = workers.filter((worker) => worker.closing === undefined);
    await Promise.all(workers.map((worker) => worker.close(true)));
    await queue.destroy();
    await queue.close();
    if (open.length > 0) throw new Error(`${open.length} workers were still running after the test.`);
  });
  return {
    get queue() {
      return queue;
    },
    get server() {
      return server;
    },
    id: (rowIndex) => queueJobId(queue.runId, rowIndex),
    enqueue: (rowIndexes, attempts = 3) =>
      queue.enqueue(
        rowIndexes.map((row) => payloadOf(row)),
        attempts,
      ),
    work: (processor, options = {}) => {
      const worker = queue.createWorker(processor, {
        id: freshId("worker"),
        concurrency: 4,
        backoff: () => 1,
        onStray: () => Promise.resolve(),
        strayIsLocal: true,
        onError: () => {},
        ...options,
      });
      workers.push(worker);
      worker.start();
      return worker;
    },
    finished: async (count) => {
      let jobs: Awaited<ReturnType<RunQueue["finished"]>> = [];
      await until(`${count} jobs are finished`, async () => {
        jobs = await queue.finished(1_000, () => false);
        return jobs.length >= count;
      });
      return new Map(jobs.map((job) => [job.jobId, job.result ?? job.failedReason ?? "no reason"]));
    },
  };
}

export function payloadOf(rowIndex: number, text = `row ${rowIndex}`): QueuePayload {
  return {
    v: PAYLOAD_VERSION,
    rowIndex,
    customId: String(rowIndex + 1),
    preset: null,
    request: { model: "qwen-plus", messages: [{ role: "user", content: text }], parameters: {} },
  };
}

export function resultOf(rowIndex: number, text = `answer ${rowIndex}`): Result {
  return {
    rowIndex,
    customId: String(rowIndex + 1),
    model: "qwen-plus",
    preset: null,
    attempts: 1,
    attemptsStarted: 1,
    possiblyBilled: 0,
    requestId: null,
    usage: null,
    latencyMs: 1,
    finishedAt: "2026-01-02T03:04:05.000Z",
    status: "succeeded",
    output: { text, reasoning: null, finishReason: "stop" },
  };
}

/** The row of a job that a worker was handed. */
export function rowOf(job: { data: unknown }): number {
  return (job.data as QueuePayload).rowIndex;
}
