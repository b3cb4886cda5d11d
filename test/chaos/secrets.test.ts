import { readFileSync, statSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { Fleet, Running } from "../../scripts/chaos/fleet.js";
import { afterTest } from "../support/after-test.js";
import { answers, fleetOf, stopWorkers } from "./fleet.js";

const KEY = "sk-secret-0123456789abcdef";
const PASSWORD = "redis-password-4711";

/** Every third row fails, in one way or another, some of them for good. */
const FAULTS = { errors: { server_error: 0.2, content_inspection: 0.1, invalid_parameter: 0.1 } } as const;

describe("a run with failures", () => {
  it(
    "leaves no key and no password in Redis, in its files, in logs, messages or process titles",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({
        rows: 60,
        concurrency: 5,
        redisSettings: ["--requirepass", PASSWORD],
        simulator: { latency: { kind: "fixed", ms: 150 }, ...FAULTS },
      });
      const redis = await withPassword(fleet);
      const { env, config } = await keyedProvider(fleet);
      const queue = `redis://:${PASSWORD}@127.0.0.1:${fleet.redis.port}`;
      const worker = fleet.start(["--config", config, "worker", "--queue", queue], { env });
      const coordinator = fleet.start(
        [
          "--config",
          config,
          "run",
          "job.yaml",
          "--run-id",
          "secret",
          "--queue",
          queue,
          "--out",
          "runs",
          "--set",
          "provider=keyed",
        ],
        { env },
      );
      await answers(fleet, 15);
      const dump = await dumpOf(redis);
      expect(dump).toContain("the text of id-");
      expectNoSecret("Redis", dump);
      for (const { process: child } of [worker, coordinator]) {
        expectNoSecret("the process title", readFileSync(`/proc/${child.pid}/cmdline`, "latin1"));
      }
      expect([0, 3]).toContain((await coordinator.ended).code);
      await stopWorkers(worker);
      expectNoSecret("Redis afterwards", await dumpOf(redis));
      for (const running of [worker, coordinator])
        expectNoSecret("output", running.stdout() + running.stderr());
      await expectNoSecretIn(join(fleet.options.folder, "runs"));
      expect(statSync(join(fleet.options.folder, "runs", "secret")).mode & 0o777).toBe(0o700);
    },
  );

  it("says neither when the key or the password is refused", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({ rows: 5, concurrency: 1, redisSettings: ["--requirepass", PASSWORD] });
    await withPassword(fleet);
    const { env, config } = await keyedProvider(fleet);
    const run = (queue: string): Running =>
      fleet.start(
        ["--config", config, "run", "job.yaml", "--queue", queue, "--out", "runs", "--set", "provider=keyed"],
        { env },
      );
    const refused = run(`redis://:wrong-${PASSWORD}@127.0.0.1:${fleet.redis.port}`);
    expect((await refused.ended).code).toBe(2);
    expectNoSecret("output", refused.stdout() + refused.stderr());
    fleet.simulator.reset();
    const nobody = run(`redis://user:${PASSWORD}@127.0.0.1:1`);
    expect((await nobody.ended).code).toBe(2);
    expectNoSecret("output", nobody.stdout() + nobody.stderr());
  });

  it("leaves none with the embedded queue, which is in memory alone", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({ rows: 40, concurrency: 5, redis: false, simulator: FAULTS });
    const { env, config } = await keyedProvider(fleet);
    const running = fleet.start(
      [
        "--config",
        config,
        "run",
        "job.yaml",
        "--run-id",
        "secret",
        "--out",
        "runs",
        "--set",
        "provider=keyed",
      ],
      { env },
    );
    await answers(fleet, 10);
    running.process.kill("SIGKILL");
    await running.ended;
    expect(await readdir(fleet.options.folder)).not.toContain(".promptmill");
    await expectNoSecretIn(join(fleet.options.folder, "runs"));
  });
});

/** A provider of the configuration file that has a key, at the model server of the fleet. */
async function keyedProvider(fleet: Fleet): Promise<{ env: Record<string, string>; config: string }> {
  const config = join(fleet.options.folder, "promptmill.config.yaml");
  await writeFile(
    config,
    `providers:\n  keyed: { protocol: openai, baseUrl: "${fleet.simulator.openaiBaseUrl}", apiKeyEnv: THE_KEY }\n`,
  );
  return { env: { THE_KEY: KEY }, config };
}

async function withPassword(fleet: Fleet): Promise<Redis> {
  const redis = new Redis({ port: fleet.redis.port, password: PASSWORD });
  afterTest(() => redis.disconnect());
  await redis.ping();
  return redis;
}

/** Everything that the server holds, values included. */
async function dumpOf(redis: Redis): Promise<string> {
  const parts: string[] = [];
  for (const key of await redis.keys("*")) {
    const dumped = await redis.dumpBuffer(key);
    parts.push(key, dumped?.toString("latin1") ?? "", JSON.stringify(await valueOf(redis, key)));
  }
  return parts.join("\n");
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === "hash") return await redis.hgetall(key);
  if (type === "list") return await redis.lrange(key, 0, -1);
  if (type === "zset") return await redis.zrange(key, 0, -1);
  if (type === "stream") return await redis.xrange(key, "-", "+");
  return type === "string" ? await redis.get(key) : null;
}

function expectNoSecret(where: string, text: string): void {
  for (const secret of [KEY, KEY.slice(0, 14), PASSWORD, "Bearer", "uthorization"]) {
    expect(text.includes(secret), `${where} holds ${secret}`).toBe(false);
  }
}

async function expectNoSecretIn(folder: string): Promise<void> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(2);
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    const text = await readFile(path, "latin1");
    for (const secret of [KEY, PASSWORD])
      expect(text.includes(secret), `${path} holds ${secret}`).toBe(false);
  }
}
