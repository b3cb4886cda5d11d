import { expect } from "vitest";
import { findingsOf, type Findings, type Recorded } from "../../scripts/chaos/findings.js";
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
 * calls repeated than were in flight at the kills, and every answer either billed or listed.
 */
export async function expectNothingLost(
  fleet: Fleet,
  {
    recorded = [],
    inFlight,
    ids,
  }: { recorded?: readonly Recorded[]; inFlight: number; ids?: readonly string[] },
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
  expect(found.answered).toBeLessThanOrEqual(found.billed + found.possiblyBilled);
  return found;
}
