import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { recordedRows } from "../../scripts/chaos/findings.js";
import type { Fleet, Running } from "../../scripts/chaos/fleet.js";
import { until } from "../support/until.js";
import { answers, callsUnderWay, endsWell, expectNothingLost, fleetOf, stopWorkers } from "./fleet.js";
import { tcpProxyTo } from "./tcp-proxy.js";

const disturb = fileURLToPath(new URL("disturb.mjs", import.meta.url));
const latency = { latency: { kind: "fixed", ms: 200 } } as const;

function disturbed(fleet: Fleet, args: readonly string[], how: string): Running {
  return fleet.start(args, { nodeArgs: ["--import", disturb], env: { PROMPTMILL_TEST_DISTURB: how } });
}

describe("a worker in trouble", () => {
  it(
    "calls nothing twice when the connection of one worker is cut for seconds",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 400, concurrency: 20, simulator: latency });
      const proxy = await tcpProxyTo(fleet.redis.port);
      const cutOff = fleet.start(["worker", "--concurrency", "10"], {
        queue: `redis://127.0.0.1:${proxy.port}`,
      });
      const other = fleet.worker(10);
      const coordinator = fleet.run(["--no-worker"]);
      await callsUnderWay(fleet, 20);
      proxy.cut();
      const recorded = recordedRows(fleet);
      await answers(fleet, 150);
      proxy.mend();
      await endsWell(coordinator);
      // A command that was under way at the cut may have been carried out: its row counts as started once more.
      await expectNothingLost(fleet, { recorded: [recorded], inFlight: 0 });
      await stopWorkers(cutOff, other);
    },
  );

  it(
    "calls nothing twice when a worker's event loop is blocked for 11 seconds",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 350, concurrency: 10, simulator: latency });
      const blocked = disturbed(fleet, ["worker", "--concurrency", "5"], "block:11000");
      const other = fleet.worker(5);
      const coordinator = fleet.run(["--no-worker"]);
      await callsUnderWay(fleet, 10);
      blocked.process.kill("SIGUSR2");
      await endsWell(coordinator);
      await expectNothingLost(fleet, { inFlight: 0 });
      await stopWorkers(blocked, other);
    },
  );

  it(
    "calls nothing twice when a worker's and the coordinator's clocks are set back by an hour",
    {
      timeout: 120_000,
    },
    async () => {
      const how = "clock:-3600000";
      const fleet = await fleetOf({ rows: 200, concurrency: 10, simulator: latency });
      const worker = disturbed(fleet, ["worker", "--concurrency", "5"], how);
      const other = fleet.worker(5);
      const coordinator = disturbed(fleet, ["run", "job.yaml", "--run-id", fleet.runId], how);
      await answers(fleet, 20);
      worker.process.kill("SIGUSR2");
      await answers(fleet, 60);
      coordinator.process.kill("SIGUSR2");
      await endsWell(coordinator);
      await expectNothingLost(fleet, { inFlight: 0 });
      await stopWorkers(worker, other);
    },
  );
});

describe("a worker that finds a run", () => {
  it(
    "joins it within 2 seconds of its announcement and leaves it when it ends",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 40, concurrency: 4, simulator: latency });
      const worker = fleet.worker(4);
      await until("the worker waits", () => worker.stderr().includes("Waiting for runs"), 60_000);
      const coordinator = fleet.run(["--no-worker"]);
      await endsWell(coordinator);
      await until("it has left", () => worker.stderr().includes("Left the run"));
      await expectNothingLost(fleet, { inFlight: 0 });
      await stopWorkers(worker);
    },
  );

  it(
    "leaves a run alone whose provider it does not have, says so once, and the coordinator says so too",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 10, concurrency: 2 });
      const without = fleet.start(["worker"], { env: { PROMPTMILL_SIMULATOR_URL: "" } });
      const coordinator = fleet.run(["--no-worker"]);
      await until(
        "the coordinator says so",
        () => coordinator.stderr().includes("No worker can serve this run"),
        60_000,
      );
      expect(coordinator.stderr()).toContain("PROMPTMILL_SIMULATOR_URL is not set");
      const able = fleet.worker(2);
      await endsWell(coordinator);
      expect(without.stderr().match(/PROMPTMILL_SIMULATOR_URL is not set/g)).toHaveLength(1);
      await expectNothingLost(fleet, { inFlight: 0 });
      await stopWorkers(without, able);
    },
  );
});
