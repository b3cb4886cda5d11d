import { DelayedError, UnrecoverableError, WaitingError } from "bullmq";
import { describe, expect, it } from "vitest";
import type { QueuePayload } from "../../src/queue/payload.js";
import type { Result } from "../../src/types.js";
import { deferred, until } from "../support/until.js";
import { payloadOf, queueKinds, resultOf, rowOf, useQueue } from "./queues.js";

describe.each(queueKinds)("A run's queue on %s", (kind) => {
  const test = useQueue(kind);

  it("holds a row once, however often it is enqueued", async () => {
    await test.enqueue([0, 1, 2]);
    await test.enqueue([1, 2, 3]);
    const pending = await test.queue.pending();
    expect(pending.map(({ jobId }) => jobId).sort()).toEqual([0, 1, 2, 3].map(test.id));
    expect(pending.every(({ lockToken }) => lockToken === null)).toBe(true);
  });

  it("leaves a finished row alone when it is enqueued again", async () => {
    await test.enqueue([0]);
    let starts = 0;
    const worker = test.work((job) => {
      starts++;
      return Promise.resolve(resultOf(rowOf(job)));
    });
    await test.finished(1);
    await test.enqueue([0, 1]);
    await test.finished(2);
    await worker.close();
    expect(starts).toBe(2);
  });

  it("takes nothing at all as well", async () => {
    await test.queue.enqueue([], 3);
    await test.queue.forget([]);
    await test.queue.drop([]);
    expect(await test.queue.pending()).toEqual([]);
    expect(await test.queue.finished(10, () => false)).toEqual([]);
    expect(await test.queue.known([])).toEqual(new Set());
  });

  it("starts every row once and keeps its result until it is forgotten", async () => {
    const rows = Array.from({ length: 60 }, (_, row) => row);
    await test.enqueue(rows);
    const started: number[] = [];
    const worker = test.work((job) => {
      started.push(rowOf(job));
      return Promise.resolve(resultOf(rowOf(job)));
    });
    const results = await test.finished(rows.length);
    await worker.close();
    expect(started.sort((a, b) => a - b)).toEqual(rows);
    expect(results).toEqual(new Map(rows.map((row) => [test.id(row), resultOf(row)])));
    expect(await test.queue.pending()).toEqual([]);

    await test.queue.forget([test.id(0), test.id(1), "unknown-7"]);
    const left = await test.queue.finished(1_000, () => false);
    expect(left.map(({ jobId }) => jobId).sort()).toEqual(rows.slice(2).map(test.id).sort());
  });

  it("offers finished rows up to a limit and without those that are skipped", async () => {
    await test.enqueue([0, 1, 2, 3]);
    const worker = test.work((job) => Promise.resolve(resultOf(rowOf(job))));
    await test.finished(4);
    await worker.close();
    expect(await test.queue.finished(2, () => false)).toHaveLength(2);
    const rest = await test.queue.finished(10, (jobId) => jobId === test.id(1));
    expect(rest.map(({ jobId }) => jobId).sort()).toEqual([0, 2, 3].map(test.id));
  });

  it("says which rows it knows, waiting, active or finished", async () => {
    await test.enqueue([0]);
    const worker = test.work((job) => Promise.resolve(resultOf(rowOf(job))));
    await test.finished(1);
    await worker.close();
    await test.enqueue([1]);
    const known = await test.queue.known([0, 1, 2].map(test.id));
    expect(known).toEqual(new Set([0, 1].map(test.id)));
  });

  it("drops waiting rows so that nobody starts them", async () => {
    await test.enqueue([0, 1, 2]);
    await test.queue.drop([test.id(1), "unknown-5"]);
    const started: number[] = [];
    const worker = test.work((job) => {
      started.push(rowOf(job));
      return Promise.resolve(resultOf(rowOf(job)));
    });
    await test.finished(2);
    await worker.close();
    expect(started.sort((a, b) => a - b)).toEqual([0, 2]);
  });

  it("hands an answer whose job was dropped meanwhile to onStray", async () => {
    await test.enqueue([0]);
    const strays: unknown[] = [];
    const gate = deferred();
    const started = deferred();
    const worker = test.work(
      async (job) => {
        started.reach();
        await gate.reached;
        return resultOf(rowOf(job));
      },
      {
        onStray: (...told: unknown[]) => {
          strays.push(told.at(-1));
          return Promise.resolve();
        },
      },
    );
    await started.reached;
    await test.queue.drop([test.id(0)]);
    gate.reach();
    await until("the answer comes back", () => strays.length > 0);
    await worker.close();
    expect(strays).toEqual([resultOf(0)]);
    expect(await test.queue.pending()).toEqual([]);
  });

  it("repeats a failed attempt after its back-off, until attempts run out", async () => {
    await test.enqueue([0, 1], 3);
    const waits: number[] = [];
    const starts = new Map<number, number>();
    const worker = test.work(
      (job) => {
        const row = rowOf(job);
        starts.set(row, (starts.get(row) ?? 0) + 1);
        expect(job.attemptsMade).toBe((starts.get(row) ?? 0) - 1);
        if (row === 0 && starts.get(row) === 2) return Promise.resolve(resultOf(0));
        throw new Error(`attempt ${starts.get(row)}`);
      },
      {
        backoff: (attemptsMade) => {
          waits.push(attemptsMade);
          return 2;
        },
      },
    );
    const finished = await test.finished(2);
    await worker.close();
    expect(starts).toEqual(
      new Map([
        [0, 2],
        [1, 3],
      ]),
    );
    expect(finished.get(test.id(0))).toEqual(resultOf(0));
    expect(finished.get(test.id(1))).toBe("attempt 3");
    expect(waits.sort((a, b) => a - b)).toEqual([1, 1, 2]);
  });

  it("counts every start, and says with a given-up row what it was", async () => {
    await test.enqueue([5], 2);
    const worker = test.work(() => {
      throw new Error("no luck");
    });
    await test.finished(1);
    await worker.close();
    const [job] = await test.queue.finished(10, () => false);
    expect(job).toMatchObject({ attemptsStarted: 2, result: null, failedReason: "no luck" });
    expect(job?.payload).toEqual(payloadOf(5));
  });

  it("gives a row up at once when no attempt can help", async () => {
    await test.enqueue([0], 5);
    let starts = 0;
    const worker = test.work(() => {
      starts++;
      throw new UnrecoverableError("not a payload of this version");
    });
    const finished = await test.finished(1);
    await worker.close();
    expect(starts).toBe(1);
    expect(finished.get(test.id(0))).toBe("not a payload of this version");
  });

  it("does not count a throttled start as an attempt", async () => {
    await test.enqueue([0], 2);
    const seen: { made: number; started: number }[] = [];
    const worker = test.work(async (job, token) => {
      seen.push({ made: job.attemptsMade, started: job.attemptsStarted });
      if (seen.length < 5) {
        await job.moveToDelayed(Date.now() + 1, token);
        throw new DelayedError();
      }
      return resultOf(0);
    });
    await test.finished(1);
    await worker.close();
    expect(seen.map(({ made }) => made)).toEqual([0, 0, 0, 0, 0]);
    expect(seen.map(({ started }) => started)).toEqual([1, 2, 3, 4, 5]);
  });

  it("takes a row that was handed back, with what was noted on it", async () => {
    await test.enqueue([0], 2);
    let starts = 0;
    const notes: unknown[] = [];
    const worker = test.work(async (job, token) => {
      starts++;
      const payload = job.data as QueuePayload;
      notes.push(payload.ended);
      if (starts < 3) {
        await job.updateData({ ...payload, ended: starts });
        await job.moveToWait(token);
        throw new WaitingError();
      }
      return resultOf(0);
    });
    await test.finished(1);
    await worker.close();
    expect(notes).toEqual([undefined, 1, 2]);
  });

  it("gives a dead worker's row back at once", async () => {
    await test.enqueue([0]);
    const started = deferred();
    const dead = test.work(
      () => {
        started.reach();
        return new Promise<Result>(() => {});
      },
      { id: "dead-worker", concurrency: 1 },
    );
    await started.reached;
    const [held] = await test.queue.pending();
    expect(held?.lockToken).toMatch(/^dead-worker/);
    await dead.close(true);
    await test.queue.handBack(test.id(0), held?.lockToken ?? "");
    expect(await test.queue.pending()).toEqual([{ jobId: test.id(0), lockToken: null }]);
    const next = test.work((job) => Promise.resolve(resultOf(rowOf(job))));
    await test.finished(1);
    await next.close();
  });

  it("keeps nothing of a row that its worker has settled already", async () => {
    await test.enqueue([0, 1]);
    const worker = test.work((job) => {
      if (rowOf(job) === 1) return Promise.resolve(resultOf(1));
      job.opts.removeOnComplete = true;
      return Promise.resolve(null);
    });
    await until("row 0 is gone", async () => !(await test.queue.known([test.id(0)])).has(test.id(0)));
    await test.finished(1);
    await worker.close();
    expect(await test.queue.finished(10, () => false)).toMatchObject([{ jobId: test.id(1) }]);
  });

  it("does not start more rows at once than its concurrency", async () => {
    const rows = Array.from({ length: 20 }, (_, row) => row);
    await test.enqueue(rows);
    let running = 0;
    let most = 0;
    const worker = test.work(
      async (job) => {
        running++;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return resultOf(rowOf(job));
      },
      { concurrency: 3 },
    );
    await test.finished(rows.length);
    await worker.close();
    expect(most).toBeLessThanOrEqual(3);
  });

  const texts = {
    "a NUL character": "a\0b",
    "lone surrogates": "\uD800 high, \uDC00 low, \uDFFF\uD83D at the end",
    "surrogate pairs": "😀 𝒳",
    "the packing marker": "\uFDD0 and \uFDD00000 and \uFDD0fdd0",
    "what looks packed": "\uFDD0d800",
    "a noncharacter and controls": "\uFFFF\u0001\u001f\u007f\u2028\u2029",
    "escapes as text": String.raw`\u0000 \\u0000 \x00`,
    "text in many scripts": "汉字 かな ไทย עברית \u202e",
  };

  it.each(Object.entries(texts))("carries %s both ways", async (_what, text) => {
    const result = resultOf(0, text);
    await test.queue.enqueue([{ ...payloadOf(0, text), customId: text }], 2);
    let received: QueuePayload | null = null;
    const worker = test.work((job) => {
      received = job.data as QueuePayload;
      return Promise.resolve(result);
    });
    const finished = await test.finished(1);
    await worker.close();
    expect(received).toEqual({ ...payloadOf(0, text), customId: text });
    expect(finished.get(test.id(0))).toEqual(result);
  });

  it("leaves nothing behind when it is destroyed", async () => {
    await test.enqueue([0, 1, 2]);
    await test.queue.destroy();
    expect(await test.queue.pending()).toEqual([]);
    expect(await test.queue.known([test.id(0)])).toEqual(new Set());
    await test.enqueue([0]);
    expect(await test.queue.pending()).toHaveLength(1);
  });

  it("does not see the rows of another run", async () => {
    await test.enqueue([0]);
    const other = test.server.openRunQueue(`${test.queue.runId}-other`);
    expect(await other.pending()).toEqual([]);
    await other.enqueue([payloadOf(0), payloadOf(1)], 1);
    expect(await test.queue.pending()).toHaveLength(1);
    expect(await other.pending()).toHaveLength(2);
    await other.destroy();
    await other.close();
    expect(await test.queue.pending()).toHaveLength(1);
  });

  it("has no strays and nothing to compact at first", async () => {
    expect(await test.queue.strays()).toEqual([]);
    await test.queue.forgetStrays([]);
    await test.queue.compact();
  });
});
