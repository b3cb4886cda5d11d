import { describe, expect, it } from "vitest";
import { recordedRows, type Recorded } from "../../scripts/chaos/findings.js";
import { until } from "../support/until.js";
import {
  answers,
  callsHalfWay,
  callsUnderWay,
  endsWell,
  expectNothingLost,
  fleetOf,
  kill,
  stopWorkers,
} from "./fleet.js";

describe("processes killed", () => {
  it(
    "loses nothing when coordinator, worker and both are killed many times in one run",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({
        rows: 500,
        concurrency: 20,
        simulator: { latency: { kind: "log-normal", medianMs: 200, sigma: 0.5 } },
      });
      const recorded: Recorded[] = [];
      let worker = fleet.worker(10);
      let coordinator = fleet.run();
      let inFlight = 0;
      for (const [at, victim] of [
        "coordinator",
        "worker",
        "both",
        "coordinator",
        "worker",
        "both",
      ].entries()) {
        await answers(fleet, 20 + at * 45);
        recorded.push(recordedRows(fleet));
        if (victim !== "worker") {
          inFlight += 20;
          await kill(coordinator);
        }
        if (victim !== "coordinator") {
          inFlight += 10;
          await kill(worker);
          worker = fleet.worker(10);
        }
        if (victim !== "worker") coordinator = fleet.resume(at % 2 === 0 ? ["--no-worker"] : []);
      }
      await endsWell(coordinator);
      const found = await expectNothingLost(fleet, { recorded, inFlight, unsent: inFlight });
      expect(found.possiblyBilled).toBeGreaterThanOrEqual(found.repeated);
      await stopWorkers(worker);
    },
  );

  it("goes on at once after a kill in embedded mode, and loses nothing", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({
      rows: 300,
      concurrency: 20,
      redis: false,
      simulator: { latency: { kind: "fixed", ms: 100 } },
    });
    const recorded: Recorded[] = [];
    let running = fleet.run();
    for (const at of [40, 120, 200]) {
      await answers(fleet, at);
      recorded.push(recordedRows(fleet));
      await kill(running);
      running = fleet.resume();
    }
    await endsWell(running);
    await expectNothingLost(fleet, { recorded, inFlight: 3 * 20, unsent: 3 * 20 });
  });

  it(
    "gives a dead worker's rows to others within seconds and lists its calls as possibly billed",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({
        rows: 12,
        concurrency: 12,
        simulator: { latency: { kind: "fixed", ms: 3_000 } },
      });
      const doomed = fleet.worker(6);
      const coordinator = fleet.run(["--no-worker"]);
      await callsUnderWay(fleet, 6);
      await kill(doomed);
      const heir = fleet.worker(12);
      await endsWell(coordinator);
      expect(coordinator.stderr()).toContain("A worker is gone; its rows go to others");
      const found = await expectNothingLost(fleet, { inFlight: 6, unsent: 6 });
      expect(found).toMatchObject({ repeated: 6, possiblyBilled: 6, billed: 12 });
      await stopWorkers(heir);
    },
  );

  it(
    "finishes calls in flight on SIGTERM, and hands back what takes longer than the grace period",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({
        rows: 40,
        concurrency: 8,
        simulator: { latency: { kind: "fixed", ms: 1_000 } },
      });
      const patient = fleet.worker(4, ["--grace", "20"]);
      const hasty = fleet.worker(4, ["--grace", "0"]);
      const coordinator = fleet.run(["--no-worker"]);
      await callsUnderWay(fleet, 8);
      await stopWorkers(patient);
      expect(fleet.simulator.calls().dropped).toBe(0);
      await callsHalfWay(fleet, 4);
      await stopWorkers(hasty);
      const heir = fleet.worker(8);
      await endsWell(coordinator);
      const found = await expectNothingLost(fleet, { inFlight: 4, unsent: 4 });
      expect(found.repeated).toBe(fleet.simulator.calls().dropped);
      await stopWorkers(heir);
    },
  );

  it("refuses a second coordinator while the first one lives", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({ rows: 2_000, concurrency: 2 });
    const first = fleet.run();
    await answers(fleet, 3);
    const second = fleet.resume();
    expect((await second.ended).code).toBe(2);
    expect(second.stderr()).toContain("is being worked on by process");
    first.process.kill("SIGTERM");
    expect((await first.ended).code).toBe(130);
  });

  it(
    "starts a worker process again that was killed, and stops all on SIGTERM",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({
        rows: 60,
        concurrency: 4,
        simulator: { latency: { kind: "fixed", ms: 300 } },
      });
      const workers = fleet.worker(2, ["--processes", "2"]);
      const coordinator = fleet.run(["--no-worker"]);
      await callsUnderWay(fleet, 4);
      const pids = [...workers.stderr().matchAll(/"workerId":"worker-[^"]+","pid":(\d+)/g)].map(([, pid]) =>
        Number(pid),
      );
      expect(pids).toHaveLength(2);
      process.kill(pids[0] ?? 0, "SIGKILL");
      await until(
        "another process is started",
        () => workers.stderr().split("Waiting for runs").length === 4,
      );
      await endsWell(coordinator);
      await expectNothingLost(fleet, { inFlight: 2, unsent: 2 });
      await stopWorkers(workers);
    },
  );
});
