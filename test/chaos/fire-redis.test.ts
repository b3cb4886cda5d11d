import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "vitest";
import { recordedRows } from "../../scripts/chaos/findings.js";
import { answers, endsWell, expectNothingLost, fleetOf, redisOf, stopWorkers } from "./fleet.js";

const latency = { latency: { kind: "fixed", ms: 150 } } as const;

describe("Redis in trouble", () => {
  it(
    "loses nothing when Redis is killed and started again on its append-only file",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 400, concurrency: 20, simulator: latency });
      const worker = fleet.worker(10);
      const coordinator = fleet.run();
      await answers(fleet, 60);
      const first = recordedRows(fleet);
      await fleet.restartRedis();
      await answers(fleet, 200);
      const second = recordedRows(fleet);
      await fleet.restartRedis(500);
      await endsWell(coordinator);
      await expectNothingLost(fleet, { recorded: [first, second], inFlight: 40 });
      await stopWorkers(worker);
    },
  );

  it("loses nothing when Redis comes back empty, as if its disk was lost", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({ rows: 400, concurrency: 20, simulator: latency });
    const worker = fleet.worker(10);
    const coordinator = fleet.run(["--no-worker"]);
    await answers(fleet, 60);
    const recorded = recordedRows(fleet);
    await fleet.restartRedis(0, (folder) => rm(join(folder, "appendonlydir"), { recursive: true }));
    await endsWell(coordinator);
    await expectNothingLost(fleet, { recorded: [recorded], inFlight: 20 });
    await stopWorkers(worker);
  });

  it("loses nothing when somebody empties Redis with FLUSHALL", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({ rows: 400, concurrency: 20, simulator: latency });
    const worker = fleet.worker(10);
    const coordinator = fleet.run();
    await answers(fleet, 60);
    const recorded = recordedRows(fleet);
    await (await redisOf(fleet)).flushall();
    await endsWell(coordinator);
    await expectNothingLost(fleet, { recorded: [recorded], inFlight: 20 });
    await stopWorkers(worker);
  });

  it("waits while Redis is out of memory, and calls nothing twice", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({ rows: 300, concurrency: 20, simulator: latency });
    const worker = fleet.worker(10);
    const coordinator = fleet.run();
    await answers(fleet, 40);
    const redis = await redisOf(fleet);
    await redis.config("SET", "maxmemory", "1mb");
    // Whatever was under way ends: its answers must be kept although there is no room for them.
    const { total } = fleet.simulator.calls();
    await answers(fleet, total);
    await redis.config("SET", "maxmemory", "0");
    await endsWell(coordinator);
    await expectNothingLost(fleet, { inFlight: 0 });
    await stopWorkers(worker);
  });
});

describe("Redis frozen", () => {
  it(
    "waits out a Redis that is frozen for 10 seconds, and calls nothing twice",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 200, concurrency: 20, simulator: latency });
      const worker = fleet.worker(10);
      const coordinator = fleet.run();
      await answers(fleet, 40);
      fleet.redis.process.kill("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      fleet.redis.process.kill("SIGCONT");
      await endsWell(coordinator);
      await expectNothingLost(fleet, { inFlight: 0 });
      await stopWorkers(worker);
    },
  );
});
