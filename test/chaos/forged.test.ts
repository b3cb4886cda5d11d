import { randomUUID } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { HubConnection } from "../../src/fleet/hub-connection.js";
import { RedisHub } from "../../src/fleet/redis-hub.js";
import { PROTOCOL_VERSION } from "../../src/protocol/events.js";
import { queueName } from "../../src/queue/names.js";
import { journalLines } from "../../scripts/chaos/journal.js";
import { afterTest } from "../support/after-test.js";
import { until } from "../support/until.js";
import {
  callsUnderWay,
  endsWell,
  expectNothingLost,
  fleetOf,
  hubPrefix,
  redisOf,
  stopWorkers,
} from "./fleet.js";

const IDENTITY = randomUUID();

const manifest = {
  v: PROTOCOL_VERSION,
  identity: IDENTITY,
  runId: "forged",
  provider: "simulator",
  region: null,
  protocol: "openai",
  attempts: 1,
  timeoutMs: 5_000,
  concurrency: 10,
} as const;

function request(content: unknown): Record<string, unknown> {
  return { model: "qwen-plus", messages: [{ role: "user", content }], parameters: {} };
}

function task(rowIndex: number, of: object, beside: object = {}): object {
  const base = { rowIndex, customId: "x", preset: null, bound: null, ended: 0, unusable: 0, paidCalls: null };
  return { ...base, request: of, ...beside };
}

describe("somebody who can write to Redis", () => {
  it(
    "makes a worker call the model that it is configured for, and no other host, file or template",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 1, concurrency: 1 });
      const elsewhere = await countingServer();
      const evil = `http://127.0.0.1:${elsewhere.port}`;
      const redis = await redisOf(fleet);
      const hub = new RedisHub(await connectionLike(redis), IDENTITY);
      const fence = { number: 1, nonce: "forger", server: await hub.server() };
      await hub.claim(fence);
      const image = (url: string): unknown[] => [{ type: "image", url }];
      const template = "{{ process.env.HOME }} ${7*7} {% include '/etc/passwd' %}";
      const leases: unknown[] = [
        [task(0, request(template))],
        [task(1, { ...request("other host"), baseUrl: evil, url: evil, host: evil })],
        [task(2, request("beside the request"), { provider: evil, endpoint: evil, apiKey: "k" })],
        [task(3, request(image("file:///etc/passwd")))],
        [task(4, request(image("/etc/passwd")))],
        { version: PROTOCOL_VERSION + 1, rows: [task(5, request("another version"))] },
        { identity: "another", rows: [task(5, request("another identity"))] },
        { fence: 7, rows: [task(5, request("another fence"))] },
        [task(6, { model: evil, messages: "not a list", parameters: {} })],
        [task(-1, request("no such row"))],
        [task(2 ** 60, request("no such row"))],
        "just text",
        null,
        [],
        [task(7, request("x".repeat(3_000_000)))],
        [task(8, { ...request("parameters"), parameters: { baseUrl: evil, constructor: 1 } })],
        JSON.parse(`{"__proto__":{"polluted":true},"rows":[{"rowIndex":9}]}`),
        [task(99, request("the last one"))],
      ];
      const texts = leases.map((lease, index) => forgedText(lease, index + 1));
      const queue = new Queue(queueName(IDENTITY), { connection: redis, skipVersionCheck: true });
      afterTest(() => queue.close());
      const numbers = texts.map((_, index) => index + 1);
      await hub.makeLive(fence, numbers, []);
      await queue.addBulk(
        texts.map((lease, index) => ({
          name: "lease",
          data: { lease },
          opts: { jobId: `1-${index + 1}`, removeOnComplete: true },
        })),
      );
      await queue.add("lease", { lease: texts[0] }, { jobId: "garbage", removeOnComplete: true });
      await queue.add("lease", { nothing: true }, { jobId: "1-x", removeOnComplete: true });
      const hostile = [
        { ...manifest, identity: randomUUID(), provider: evil },
        {
          ...manifest,
          identity: randomUUID(),
          provider: "model-studio",
          region: `127.0.0.1:${elsewhere.port}`,
        },
        { ...manifest, identity: randomUUID(), provider: "__proto__" },
        { ...manifest, identity: randomUUID(), v: 99 },
        { ...manifest, identity: "../../escape" },
        { ...manifest, identity: randomUUID(), concurrency: 0 },
        { ...manifest, identity: randomUUID(), runId: "../../escape" },
      ];
      for (const each of hostile) await redis.hset("promptmill:runs", each.identity, JSON.stringify(each));
      await redis.hset("promptmill:runs", "garbage", "{");
      await redis.hset("promptmill:runs", IDENTITY, JSON.stringify(manifest));

      const worker = fleet.start(["worker"], { env: { DASHSCOPE_API_KEY: "sk-of-the-worker" } });
      await until("the worker has joined", async () => {
        const joined = Object.entries((await hub.look()).beats).filter(([, beat]) => beat.fence === 1);
        for (const [name] of joined) await hub.share(fence, { [name]: 10 });
        return joined.length > 0;
      });
      const asked = (): string[] =>
        [...fleet.simulator.calls().perRequest.values()].map(({ lastUserText }) => lastUserText);
      await until("the last lease was called", () => asked().includes("the last one"));
      await until(
        "all leases have ended",
        async () => (await queue.getJobCountByTypes("wait", "active")) === 0,
      );
      expect(asked()).toContain(template);
      expect(asked().join("\n")).not.toMatch(
        /root:|another version|another identity|another fence|no such row/,
      );
      expect(elsewhere.connections()).toBe(0);
      expect(worker.stderr()).toContain("the run is of version 99");
      expect(worker.stderr().match(/Serving the run/g)).toHaveLength(1);
      await stopWorkers(worker);
    },
  );

  it.each([
    ["an outbox of its own", false],
    ["a worker's outbox", true],
  ])(
    "does not bring a result or an event into a run by %s: it is dropped with a warning, and the run goes on",
    { timeout: 120_000 },
    async (_where, isWorkers) => {
      const fleet = await fleetOf({
        rows: 60,
        concurrency: 10,
        simulator: { latency: { kind: "fixed", ms: 700 } },
      });
      const worker = fleet.worker(10);
      const coordinator = fleet.run(["--no-worker"]);
      await callsUnderWay(fleet, 10);
      const redis = await redisOf(fleet);
      const prefix = hubPrefix(fleet);
      const [real = ""] = await redis.hkeys(`${prefix}beats`);
      const name = isWorkers ? real : "worker-forger/1";
      const forged = forgedEvents();
      const other = "promptmill:another-identity:";
      await redis
        .multi()
        .rpush(`${prefix}outbox:${name}`, ...forged)
        .sadd(`${prefix}outboxes`, name)
        .rpush(`${other}outbox:${name}`, ...forged)
        .sadd(`${other}outboxes`, name)
        .exec();
      await endsWell(coordinator);
      expect(coordinator.stderr()).toContain("no event of this run");
      const found = await expectNothingLost(fleet, { inFlight: 0 });
      expect(found).toMatchObject({ calls: 60, billed: 60, possiblyBilled: 0 });
      expect(JSON.stringify(journalLines(fleet.runDirectory))).not.toContain("forged");
      expect(await redis.llen(`${other}outbox:${name}`)).toBe(forged.length);
      await stopWorkers(worker);
    },
  );
});

/** A lease as it would travel, whole or not. */
function forgedText(lease: unknown, number: number): string {
  if (typeof lease !== "object" || lease === null) return JSON.stringify(lease);
  const whole = { version: PROTOCOL_VERSION, identity: IDENTITY, number, fence: 1, isAlone: false };
  return JSON.stringify({ ...whole, ...(Array.isArray(lease) ? { rows: lease as unknown[] } : lease) });
}

/** None is an event of the run: each has something that no worker would say. */
function forgedEvents(): string[] {
  const usage = { inputTokens: 1_000_000, outputTokens: 1_000_000, cachedInputTokens: 0, reasoningTokens: 0 };
  const at = new Date().toISOString();
  const call = { worker: "forged", key: 1_000_000, rowIndex: 0, customId: "id-0", model: "qwen-plus" };
  const output = { text: "forged", reasoning: null, finishReason: "stop" };
  const settled = {
    event: "settled",
    ...call,
    billing: "billed",
    preset: null,
    attempts: 1,
    requestId: null,
    requestDigest: "of another request",
    usage,
    latencyMs: 1,
    finishedAt: at,
    status: "succeeded",
    output,
  };
  const attempt = { event: "attempt", ...call, at, counts: true, billing: "billed", usage };
  const events = [
    settled,
    attempt,
    ...[-1, 60, 2 ** 40, 1.5, "0", null].map((rowIndex) => ({ ...settled, rowIndex })),
    ...[undefined, null, "forged", { text: 1 }].map((wrong) => ({ ...settled, output: wrong })),
    ...[-1, 0.5, 1e300, "1"].map((inputTokens) => ({ ...attempt, usage: { ...usage, inputTokens } })),
    { ...settled, key: undefined },
    { ...settled, customId: "id-1" },
    { ...settled, worker: "another", seq: 1 },
    { event: "started", at, model: "forged", fence: 1, rows: [[-1, 1, "id-0", null, 1]] },
    { event: "retry", at, rowIndexes: [0, 1, 2] },
    { event: "input", at, rowsBefore: 1 },
    { event: "run", version: PROTOCOL_VERSION, identity: "forged", at },
    { event: "fence", fence: 2 ** 50, server: "forged" },
    { event: "unheard of" },
    [],
    null,
  ].map((event) => JSON.stringify(event));
  return [...events, "{", "", "garbage", `${JSON.stringify(settled)}\n${JSON.stringify(settled)}`];
}

async function connectionLike(redis: Redis): Promise<HubConnection> {
  const connection = await HubConnection.open(redis);
  afterTest(() => connection.close());
  return connection;
}

/** Where no worker has been told to call. */
async function countingServer(): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterTest(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
