import { createServer, type AddressInfo } from "node:net";
import { Queue } from "bullmq";
import { describe, expect, it } from "vitest";
import { queueName } from "../../src/queue/names.js";
import { openRedisQueueServer } from "../../src/queue/redis-queue.js";
import { RunRegistry } from "../../src/queue/registry.js";
import { PAYLOAD_VERSION } from "../../src/queue/payload.js";
import { afterTest } from "../support/after-test.js";
import { until } from "../support/until.js";
import { fleetOf, stopWorkers } from "./fleet.js";

const ticket = {
  v: PAYLOAD_VERSION,
  runId: "forged",
  provider: "simulator",
  region: null,
  protocol: "openai",
  attempts: 1,
  timeoutMs: 5_000,
  concurrency: 10,
} as const;

function request(content: unknown): object {
  return { model: "qwen-plus", messages: [{ role: "user", content }], parameters: {} };
}

describe("somebody who can write to Redis", () => {
  it(
    "makes a worker call the model that it is configured for, and no other host, file or template",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 1, concurrency: 1 });
      const elsewhere = await countingServer();
      const server = await openRedisQueueServer(fleet.redis.url);
      const queue = new Queue(queueName("forged"), { connection: server.redis, skipVersionCheck: true });
      afterTest(async () => {
        await queue.close();
        await server.close();
      });
      const evil = `http://127.0.0.1:${elsewhere.port}`;
      const base = { v: PAYLOAD_VERSION, customId: "x", preset: null };
      const image = (url: string): unknown[] => [{ type: "image", url }];
      const payloads: unknown[] = [
        {
          ...base,
          rowIndex: 0,
          request: request("{{ process.env.HOME }} ${7*7} {% include '/etc/passwd' %}"),
        },
        { ...base, rowIndex: 1, request: { ...request("other host"), baseUrl: evil, url: evil, host: evil } },
        {
          ...base,
          rowIndex: 2,
          provider: evil,
          endpoint: evil,
          apiKey: "k",
          request: request("beside the request"),
        },
        { ...base, rowIndex: 3, request: request(image("file:///etc/passwd")) },
        { ...base, rowIndex: 4, request: request(image("/etc/passwd")) },
        { ...base, rowIndex: 5, v: PAYLOAD_VERSION + 1, request: request("another version") },
        { ...base, rowIndex: 6, request: { model: evil, messages: "not a list", parameters: {} } },
        { ...base, rowIndex: -1, request: request("no such row") },
        "just text",
        null,
        { ...base, rowIndex: 7, request: request("x".repeat(3_000_000)) },
        {
          ...base,
          rowIndex: 8,
          request: { ...request("parameters"), parameters: { baseUrl: evil, constructor: 1 } },
        },
        JSON.parse(`{"__proto__":{"polluted":true},"v":${PAYLOAD_VERSION},"rowIndex":9}`),
      ];
      await queue.addBulk(
        payloads.map((data, index) => ({ name: "row", data, opts: { jobId: `forged-job-${index}` } })),
      );
      const registry = new RunRegistry(server.redis);
      const hostile = [
        { ...ticket, runId: "elsewhere-1", provider: evil },
        { ...ticket, runId: "elsewhere-2", provider: "model-studio", region: `127.0.0.1:${elsewhere.port}` },
        { ...ticket, runId: "elsewhere-3", provider: "__proto__" },
        { ...ticket, runId: "elsewhere-4", v: 99 },
      ];
      for (const each of hostile)
        await server.redis.hset("promptmill:runs", each.runId, JSON.stringify(each));
      await server.redis.hset(
        "promptmill:runs",
        "../../escape",
        JSON.stringify({ ...ticket, runId: "../../escape" }),
      );
      await server.redis.hset("promptmill:runs", "garbage", "{");
      await registry.announce(ticket);
      await registry.setEpoch("forged", `${await registry.serverId()} test`);
      const beating = setInterval(() => {
        void registry.serverId().then((id) => registry.setEpoch("forged", `${id} test`));
      }, 2_000);
      afterTest(() => clearInterval(beating));

      const worker = fleet.start(["worker"], { env: { DASHSCOPE_API_KEY: "sk-of-the-worker" } });
      await until(
        "every forged job has ended",
        async () => (await queue.getCompletedCount()) + (await queue.getFailedCount()) === payloads.length,
        60_000,
      );
      const calls = fleet.simulator.calls();
      const asked = [...calls.perRequest.values()].map(({ lastUserText }) => lastUserText);
      expect(asked).toContain("{{ process.env.HOME }} ${7*7} {% include '/etc/passwd' %}");
      expect(asked.join("\n")).not.toMatch(/root:|another version|no such row/);
      expect(elsewhere.connections()).toBe(0);
      expect(worker.stderr()).toContain("payloads are of version 99");
      for (const { runId } of hostile)
        expect(worker.stderr()).not.toContain(`"runId":"${runId}","msg":"Serving`);
      await stopWorkers(worker);
    },
  );
});

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
