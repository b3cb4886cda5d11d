import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { Queue } from "bullmq";
import * as fc from "fast-check";
import { Redis } from "ioredis";
import { beforeEach, describe, expect, it } from "vitest";
import { openEmbeddedLeaseQueue } from "../../src/queue/embedded-lease-queue.js";
import type { ClaimedLease, LeaseJob, LeaseQueue } from "../../src/queue/lease-queue.js";
import { queueName } from "../../src/queue/names.js";
import { openRedisLeaseQueue } from "../../src/queue/redis-lease-queue.js";
import { afterTest, mustEnd } from "../support/after-test.js";
import { startRedis } from "../support/redis-server.js";
import { redisUrl } from "../support/redis-url.js";

interface OpenQueue {
  readonly queue: LeaseQueue;
  /** The same queue as somebody else sees it: another connection, where there is such a thing. */
  readonly other: LeaseQueue;
}

const kinds: Record<string, () => Promise<OpenQueue>> = {
  "an embedded queue": async () => {
    const queue = await openEmbeddedLeaseQueue();
    closeAfterTest(queue);
    return { queue, other: queue };
  },
  "a queue on Redis": () => {
    const identity = randomUUID();
    const [queue, other] = [
      openRedisLeaseQueue(connect(), identity),
      openRedisLeaseQueue(connect(), identity),
    ];
    afterTest(() => queue.destroy());
    closeAfterTest(queue, other);
    return Promise.resolve({ queue, other });
  },
};

/** A connection that the test's end fails on when it is still open after what uses it was closed. */
function connect(url = redisUrl()): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  redis.on("error", () => {});
  afterTest(() => redis.disconnect());
  return redis;
}

function closeAfterTest(...queues: LeaseQueue[]): void {
  for (const queue of queues) afterTest(() => queue.close());
}

const job = (id: string, text: string | null = `rows of ${id}`): LeaseJob => ({ id, text });

async function claimAll(queue: LeaseQueue): Promise<ClaimedLease[]> {
  const claimed: ClaimedLease[] = [];
  for (let lease = await queue.claim(); lease !== null; lease = await queue.claim()) claimed.push(lease);
  return claimed;
}

const ids = (leases: readonly LeaseJob[]): string[] => leases.map(({ id }) => id);

describe.each(Object.keys(kinds))("The leases of %s", (kind) => {
  let queue: LeaseQueue;
  let other: LeaseQueue;
  beforeEach(async () => {
    const opened = await kinds[kind]?.();
    if (opened === undefined) throw new Error(kind);
    ({ queue, other } = opened);
  });

  it("are claimed in the order in which they were put, each once", async () => {
    await queue.put([job("a-1"), job("a-2")]);
    await queue.put([job("a-0")]);
    expect(await queue.waiting()).toBe(3);
    const claimed = await claimAll(queue);
    expect(claimed.map(({ id, text }) => [id, text])).toEqual([
      ["a-1", "rows of a-1"],
      ["a-2", "rows of a-2"],
      ["a-0", "rows of a-0"],
    ]);
    expect(await queue.waiting()).toBe(0);
    for (const lease of claimed) await lease.complete();
  });

  it("are shared out among all who claim at once", async () => {
    const put = Array.from({ length: 40 }, (_, index) => job(`lease-${index}`));
    await queue.put(put);
    const claimed = await Promise.all(put.map((_, index) => (index % 2 === 0 ? queue : other).claim()));
    const leases = claimed.filter((lease) => lease !== null);
    expect(ids(leases).sort()).toEqual(ids(put).sort());
    expect(await queue.claim()).toBeNull();
    expect(await other.claim()).toBeNull();
    await Promise.all(leases.map((lease) => lease.complete()));
    for (const { id } of put) expect(await other.state(id)).toBe("gone");
  });

  it("are there once, however often they are put", async () => {
    await queue.put([job("a-1"), job("a-2")]);
    await queue.put([job("a-2"), job("a-3")]);
    expect(await queue.waiting()).toBe(3);
    const first = await queue.claim();
    await queue.put([job("a-1"), job("a-2"), job("a-3")]);
    expect([first?.id, ...ids(await claimAll(other))]).toEqual(["a-1", "a-2", "a-3"]);
  });

  it("are waiting, then claimed, then gone", async () => {
    expect(await queue.state("a-1")).toBe("gone");
    await queue.put([job("a-1")]);
    expect(await other.state("a-1")).toBe("waiting");
    const lease = await queue.claim();
    expect(await other.state("a-1")).toBe("claimed");
    await lease?.complete();
    expect(await other.state("a-1")).toBe("gone");
    expect(await queue.claim()).toBeNull();
  });

  it("can be completed twice, and when the whole queue is gone", async () => {
    await queue.put([job("a-1"), job("a-2")]);
    const [first, second] = await claimAll(queue);
    await first?.complete();
    await first?.complete();
    await other.destroy();
    await second?.complete();
    expect(await queue.state("a-2")).toBe("gone");
  });

  it("are removed while they wait", async () => {
    await queue.put([job("a-1"), job("a-2"), job("a-3"), job("a-4")]);
    const lease = await queue.claim();
    await queue.remove(["a-1", "a-3", "unknown", "a-4"]);
    expect(await queue.state("a-3")).toBe("gone");
    expect(ids(await claimAll(queue))).toEqual(["a-2"]);
    await lease?.complete();
  });

  it("are drained while they wait, and the claimed ones stay", async () => {
    await queue.put([job("a-1"), job("a-2"), job("a-3")]);
    const lease = await queue.claim();
    await other.drain();
    expect(await queue.waiting()).toBe(0);
    expect(await queue.claim()).toBeNull();
    expect(await queue.state("a-1")).toBe("claimed");
    await lease?.complete();
    await queue.put([job("a-4")]);
    expect(ids(await claimAll(other))).toEqual(["a-4"]);
  });

  it("can be put into a queue that was destroyed", async () => {
    await queue.put([job("a-1"), job("a-2")]);
    await queue.claim();
    await queue.destroy();
    expect(await queue.state("a-1")).toBe("gone");
    expect(await queue.waiting()).toBe(0);
    await queue.put([job("a-1")]);
    expect(ids(await claimAll(other))).toEqual(["a-1"]);
  });

  it("may be none at all", async () => {
    await queue.put([]);
    await queue.remove([]);
    await queue.drain();
    expect(await queue.waiting()).toBe(0);
    expect(await queue.claim()).toBeNull();
  });

  it("keep what they carry, whatever characters it is made of", async () => {
    const anyText = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
      fc.constantFrom(
        null,
        "",
        "\u0000",
        "a\u0000b",
        "\\u0000",
        '{"b":1.0,"a":[1e400]}',
        "\ud800",
        "\udc00\ud800",
      ),
    );
    let lease = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 20 }), async (texts) => {
        await queue.put(texts.map((text) => job(`lease-${lease++}`, text)));
        const claimed = await claimAll(other);
        expect(claimed.map(({ text }) => text)).toEqual(texts);
        await Promise.all(claimed.map((each) => each.complete()));
      }),
      { numRuns: 50 },
    );
  });

  it("carry several megabytes", async () => {
    const text = "é\u0000\ud800 and some words more. ".repeat(200_000);
    await queue.put([job("a-1", text), job("a-2")]);
    const claimed = await claimAll(other);
    expect(claimed[0]?.text === text).toBe(true);
    expect(claimed[1]?.text).toBe("rows of a-2");
  });
});

it("is tried with the release of BullMQ that was asked for", () => {
  const main = process.env.PROMPTMILL_BULLMQ;
  if (main !== undefined) expect(createRequire(main)("bullmq").Queue).toBe(Queue);
});

describe("A queue of leases on Redis", () => {
  const keysOf = (redis: Redis, identity: string): Promise<string[]> => redis.keys(`*${identity}*`);

  it("leaves nothing on the server after it was destroyed, nor when it only claims", async () => {
    const [redis, identity] = [connect(), randomUUID()];
    const queue = openRedisLeaseQueue(redis, identity);
    closeAfterTest(queue);
    await queue.put(["a", "b", "c", "d"].map((id) => job(id)));
    const first = await queue.claim();
    await first?.complete();
    await queue.claim();
    await queue.remove(["c"]);
    expect(await keysOf(redis, identity)).not.toEqual([]);
    await queue.destroy();
    expect(await keysOf(redis, identity)).toEqual([]);

    const late = openRedisLeaseQueue(connect(), identity);
    expect(await late.claim()).toBeNull();
    expect(await late.state("a")).toBe("gone");
    await late.close();
    expect(await keysOf(redis, identity)).toEqual([]);
  });

  it("keeps no list of what happened, and nothing of a lease that ended", async () => {
    const [redis, identity] = [connect(), randomUUID()];
    const queue = openRedisLeaseQueue(redis, identity);
    closeAfterTest(queue);
    for (let round = 0; round < 10; round++) {
      await queue.put(Array.from({ length: 50 }, (_, index) => job(`lease-${round}-${index}`)));
      for (const lease of await claimAll(queue)) await lease.complete();
    }
    expect(await redis.xlen(`bull:${queueName(identity)}:events`)).toBeLessThan(200);
    const left = await keysOf(redis, identity);
    expect(left.filter((key) => key.includes("lease-"))).toEqual([]);
    await queue.destroy();
  });

  it("opens no connection of its own, and leaves the one it was given open", async () => {
    const own = await startRedis();
    afterTest(() => own.stop());
    const redis = connect(own.url);
    const queue = openRedisLeaseQueue(redis, randomUUID());
    await queue.put([job("a-1")]);
    const lease = await queue.claim();
    expect(await queue.claim()).toBeNull();
    const clients = (await redis.client("LIST")) as string;
    expect(clients.trim().split("\n")).toHaveLength(1);
    await lease?.complete();
    await queue.close();
    expect(await redis.ping()).toBe("PONG");
    expect(redis.listenerCount("error")).toBe(1);
  });

  it("takes leases again that the server lost with all its data", async () => {
    const own = await startRedis();
    afterTest(() => own.stop());
    const redis = connect(own.url);
    const queue = openRedisLeaseQueue(redis, randomUUID());
    closeAfterTest(queue);
    await queue.put([job("a-1"), job("a-2")]);
    const lost = await queue.claim();
    await redis.flushall();
    expect(await queue.state("a-1")).toBe("gone");
    await lost?.complete();
    await queue.put([job("a-1"), job("a-2")]);
    expect(ids(await claimAll(queue))).toEqual(["a-1", "a-2"]);
  });

  it("takes leases again after a destroy that was killed half-way", async () => {
    const [redis, identity] = [connect(), randomUUID()];
    const killed = new Queue(queueName(identity), { connection: redis });
    await killed.pause(); // how BullMQ begins to obliterate a queue
    await killed.close();
    const queue = openRedisLeaseQueue(redis, identity);
    closeAfterTest(queue);
    await queue.put([job("a-1")]);
    expect(ids(await claimAll(queue))).toEqual(["a-1"]);
    await queue.destroy();
  });

  it("completes a lease whose lock ran out", async () => {
    const [redis, identity] = [connect(), randomUUID()];
    const queue = openRedisLeaseQueue(redis, identity);
    closeAfterTest(queue);
    await queue.put([job("a-1"), job("a-2")]);
    const [first, second] = await claimAll(queue);
    await redis.del(`bull:${queueName(identity)}:a-1:lock`);
    await first?.complete();
    await redis.set(`bull:${queueName(identity)}:a-2:lock`, "somebody else's");
    await second?.complete();
    await queue.destroy();
  });

  it("rejects what a server that is gone does not answer, and closes without it", async () => {
    const own = await startRedis();
    afterTest(() => own.stop());
    const redis = new Redis(own.url, { maxRetriesPerRequest: 1, retryStrategy: () => null });
    redis.on("error", () => {});
    mustEnd(
      "the connection",
      () => redis.status !== "end",
      () => redis.disconnect(),
    );
    const queue = openRedisLeaseQueue(redis, randomUUID());
    await queue.put([job("a-1"), job("a-2")]);
    const lease = await queue.claim();
    const ended = new Promise((resolve) => redis.once("end", resolve));
    await own.stop();
    await ended;
    await expect(lease?.complete()).rejects.toThrow();
    await expect(queue.claim()).rejects.toThrow();
    await expect(queue.put([job("a-3")])).rejects.toThrow();
    await queue.close();
  });
});
