import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { expect } from "vitest";
import { findingsOf, type Findings, type Recorded } from "../../scripts/chaos/findings.js";
import { readJournal } from "../../scripts/chaos/journal.js";
import type { UsageGroup } from "../../src/usage/usage-group.js";
import { Fleet, type FleetOptions, type Running } from "../../scripts/chaos/fleet.js";
import { afterTest } from "../support/after-test.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";

/** Decides nothing: a machine that is busy otherwise starts processes slowly. */
const PATIENCE_MS = 60_000;

/** Real processes, a real Redis and a model server for one test, all gone after it. */
export async function fleetOf(options: Omit<FleetOptions, "folder">): Promise<Fleet> {
  const fleet = await Fleet.start({ ...options, folder: await tempFolder() });
  afterTest(() => fleet.close());
  return fleet;
}

/** A connection to the fleet's Redis of the test's own. */
export async function redisOf(fleet: Fleet): Promise<Redis> {
  const redis = new Redis(fleet.redis.url, { lazyConnect: true });
  redis.on("error", () => {}); // the server may be killed
  await redis.connect();
  afterTest(() => redis.disconnect());
  return redis;
}

/** Of the keys that the run's processes share. */
export function hubPrefix(fleet: Fleet): string {
  const record = JSON.parse(readFileSync(join(fleet.runDirectory, "run.json"), "utf8")) as {
    identity: string;
  };
  return `promptmill:${record.identity}:`;
}

/** Waits until the model has answered so often. */
export async function answers(fleet: Fleet, atLeast: number): Promise<void> {
  await until(
    `the model has answered ${atLeast} times`,
    () => fleet.simulator.calls().answered >= atLeast,
    PATIENCE_MS,
  );
}

/** Waits until so many calls are under way at once. */
export async function callsUnderWay(fleet: Fleet, atLeast: number): Promise<void> {
  await until(
    `${atLeast} calls are under way`,
    () => fleet.simulator.calls().inFlight >= atLeast,
    PATIENCE_MS,
  );
}

/**
 * Waits until so many calls are under way, and the last answer was a third of a second ago: with answers that all
 * take a second, none is on its way.
 */
export async function callsHalfWay(fleet: Fleet, atLeast: number): Promise<void> {
  const { answered: before } = fleet.simulator.calls();
  let last = before;
  let lastAt = 0;
  await until(
    `${atLeast} calls are half way`,
    () => {
      const { answered, inFlight } = fleet.simulator.calls();
      if (answered !== last) [last, lastAt] = [answered, performance.now()];
      return last > before && inFlight >= atLeast && performance.now() - lastAt > 333;
    },
    PATIENCE_MS,
  );
}

export async function kill(running: Running): Promise<void> {
  running.process.kill("SIGKILL");
  await running.ended;
}

/** Sums of `promptmill report`, of the run as it lies there. */
export async function reportOf(fleet: Fleet): Promise<UsageGroup> {
  const report = fleet.start(["report", fleet.runId, "--json"]);
  await endsWell(report);
  return (JSON.parse(report.stdout()) as { total: UsageGroup }).total;
}

/**
 * What must be known of a run that stopped, and is not resumed: each call that the model saw is counted or listed, and each that
 * the journal knows the end of is counted. Returns the report.
 */
export async function expectAllKnown(fleet: Fleet): Promise<UsageGroup> {
  const report = await reportOf(fleet);
  const { billed, possiblyBilled } = readJournal(fleet.runDirectory);
  expect(report.attempts).toMatchObject({ billed: billed.length, possiblyBilled });
  expect(report.attempts.billed + report.attempts.possiblyBilled).toBeGreaterThanOrEqual(
    fleet.simulator.calls().total,
  );
  return report;
}

/** The run has ended well. */
export async function endsWell(running: Running): Promise<void> {
  const { code } = await running.ended;
  expect(code, running.stderr()).toBe(0);
}

export async function stopWorkers(...workers: readonly Running[]): Promise<void> {
  for (const worker of workers) worker.process.kill("SIGTERM");
  for (const worker of workers) expect((await worker.ended).code, worker.stderr()).toBe(0);
}

/**
 * What must hold whatever happened: no row lost, twice or failed, no recorded answer called again, no more
 * calls repeated than were in flight at the kills, every call recorded or listed, and no more listed than calls without a
 * known end and `unsent`: starts that were marked when their process was killed, and not sent.
 */
export async function expectNothingLost(
  fleet: Fleet,
  {
    recorded = [],
    inFlight,
    unsent = 0,
    ids,
  }: { recorded?: readonly Recorded[]; inFlight: number; unsent?: number; ids?: readonly string[] },
): Promise<Findings> {
  const found = await findingsOf(fleet, recorded, ids);
  expect(found).toMatchObject({
    rowsLost: 0,
    rowsTwice: 0,
    rowsFailed: 0,
    recordedCalledAgain: 0,
    usageErrors: [],
  });
  expect(found.repeated).toBeLessThanOrEqual(inFlight);
  expect(found.unlisted).toEqual([]);
  expect(found.possiblyBilled - found.unrecorded).toBeLessThanOrEqual(unsent);
  return found;
}
