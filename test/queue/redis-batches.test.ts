import { WaitingError, type Job, type RedisQueueBackend as QueueBackend } from "bullmq";
import { describe, expect, it } from "vitest";
import type { RedisQueueServer, RedisRunQueue } from "../../src/queue/redis-queue.js";
import { afterFile } from "../support/after-test.js";
import { startRedis } from "../support/redis-server.js";
import { deferred, until } from "../support/until.js";
import { resultOf, rowOf, useQueue } from "./queues.js";

const ROWS = 450;
const rows = Array.from({ length: ROWS }, (_, row) => row);

describe("Many calls in one command to Redis", () => {
  const test = useQueue("redis", async () => {
    const own = await startRedis();
    afterFile(() => own.stop());
    return own.url;
  });
  const scriptCalls = async (): Promise<number> => {
    const stats = await (test.server as RedisQueueServer).redis.info("commandstats");
    return ["eval", "evalsha"].reduce(
      (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0),
      0,
    );
  };

  it("adds, starts and completes rows that come together by a few commands", async () => {
    const before = await scriptCalls();
    await test.enqueue(rows);
    expect((await scriptCalls()) - before).toBeLessThanOrEqual(5);
    const gate = deferred();
    let started = 0;
    const worker = test.work(
      async (job) => {
        if (++started === ROWS) gate.reach();
        await gate.reached;
        return resultOf(rowOf(job));
      },
      { concurrency: ROWS },
    );
    const finished = await test.finished(ROWS);
    await worker.close();
    expect([...finished.keys()].sort()).toEqual(rows.map((row) => test.id(row)).sort());
    for (const row of rows) expect(finished.get(test.id(row))).toEqual(resultOf(row));
    // Starting: one, then 200 each time. Completing: 200 each time. And a look at what is left.
    expect((await scriptCalls()) - before).toBeLessThanOrEqual(40);
  });

  it("hands over the job that the queue holds, and leaves no events behind", async () => {
    await test.enqueue(rows.slice(0, 40), 7);
    const gate = deferred();
    const jobs: Job[] = [];
    const worker = test.work(
      async (job) => {
        jobs.push(job);
        if (jobs.length === 40) gate.reach();
        await gate.reached;
        return resultOf(rowOf(job));
      },
      // The first is started by BullMQ's loop, others along with it, and those behind by completions.
      { concurrency: 20, id: "w".repeat(300) },
    );
    await until("20 are running", () => jobs.length === 20);
    const { queue } = test.queue as RedisRunQueue;
    for (const job of jobs) {
      const stored = await queue.getJob(job.id ?? "");
      expect(job.asJSON()).toEqual(stored?.asJSON());
      expect(job.processedOn).toBe(stored?.processedOn);
      expect(job).toMatchObject({ attemptsStarted: 1, opts: { attempts: 7 } });
    }
    expect(jobs.map((job) => job.token?.length ?? 0).every((length) => length > 300)).toBe(true);
    gate.reach();
    await test.finished(40);
    await worker.close();
    expect(jobs.map((job) => job.id ?? "").sort()).toEqual(rows.slice(0, 40).map(test.id).sort());
    const { redis } = test.server as RedisQueueServer;
    expect(await redis.xlen(queue.toKey("events"))).toBeLessThan(5);
  });

  it("hands over what only BullMQ makes as BullMQ does", async () => {
    const { queue } = test.queue as RedisRunQueue;
    const { redis } = test.server as RedisQueueServer;
    await queue.add("two words", { rowIndex: 0 }, { jobId: test.id(0) });
    await queue.add("row", { rowIndex: 1 }, { jobId: test.id(1), priority: 3 });
    await queue.add("row", { rowIndex: 2 }, { jobId: test.id(2) });
    await redis.hset(queue.toKey(test.id(2)), "stacktrace", '["there"]');
    const seen = new Map<number, Job>();
    const worker = test.work((job) => {
      seen.set(rowOf(job), job);
      return Promise.resolve(resultOf(rowOf(job)));
    });
    await test.finished(3);
    await worker.close();
    expect(seen.get(0)?.name).toBe("two words");
    expect(seen.get(1)?.priority).toBe(3);
    expect(seen.get(2)?.stacktrace).toEqual(["there"]);
  });

  it("lets one row fail alone when others complete with it", async () => {
    await test.enqueue([0, 1, 2]);
    const gate = deferred();
    const strays: string[] = [];
    let started = 0;
    const worker = test.work(
      async (job) => {
        started++;
        await gate.reached;
        return resultOf(rowOf(job));
      },
      {
        onStray: (jobId) => {
          strays.push(jobId);
          return Promise.resolve();
        },
      },
    );
    await until("all three are started", () => started === 3);
    await test.queue.drop([test.id(1)]);
    gate.reach();
    const finished = await test.finished(2);
    await until("the third comes back", () => strays.length === 1);
    await worker.close();
    expect([...finished.keys()].sort()).toEqual([test.id(0), test.id(2)]);
    expect(strays).toEqual([test.id(1)]);
  });

  it("gives back what it fetched along when it is paused before it began", async () => {
    await test.enqueue(rows);
    let isPaused = false;
    const called: number[] = [];
    const worker = test.work(
      async (job, token) => {
        if (!isPaused) {
          isPaused = true;
          void worker.pause(true);
          called.push(rowOf(job));
          return resultOf(rowOf(job));
        }
        await job.moveToWait(token);
        throw new WaitingError();
      },
      { concurrency: 300 },
    );
    await test.finished(1);
    await worker.close();
    expect(called).toHaveLength(1);
    const pending = await test.queue.pending();
    expect(pending).toHaveLength(ROWS - 1);
    expect(pending.filter(({ lockToken }) => lockToken !== null)).toEqual([]);
  });

  it("never starts more rows than it has places for, whatever it fetches along", async () => {
    await test.enqueue(rows);
    let running = 0;
    let most = 0;
    const worker = test.work(
      async (job) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return resultOf(rowOf(job));
      },
      { concurrency: 70 },
    );
    await test.finished(ROWS);
    await worker.close();
    expect(most).toBeLessThanOrEqual(70);
    expect(most).toBeGreaterThan(35);
  });

  it("begins what it fetched along though a row that completes meanwhile finds nothing", async () => {
    const gate = deferred();
    const started: number[] = [];
    const worker = test.work(
      async (job) => {
        started.push(rowOf(job));
        if (rowOf(job) < 2) await gate.reached;
        return resultOf(rowOf(job));
      },
      { concurrency: 20 },
    );
    const { backend } = worker as unknown as { backend: QueueBackend };
    await test.enqueue([0, 1]);
    await until("two are running", () => started.length === 2);
    const waitForJob = backend.waitForJob.bind(backend);
    const startedWhenWaiting: number[] = [];
    let isFetching = false;
    backend.waitForJob = (timeout) => {
      if (isFetching) startedWhenWaiting.push(started.length);
      return waitForJob(timeout);
    };
    const moveToActive = backend.moveToActive.bind(backend);
    backend.moveToActive = (...args) => {
      // The two complete while the others are fetched: their commands follow at once, and their replies too.
      isFetching = true;
      gate.reach();
      return moveToActive(...args);
    };
    await test.enqueue([2, 3, 4, 5, 6, 7, 8, 9]);
    await test.finished(10);
    await worker.close();
    expect(startedWhenWaiting.filter((count) => count < 10)).toEqual([]);
  });
});
