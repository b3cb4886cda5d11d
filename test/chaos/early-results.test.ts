import { existsSync, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Fleet } from "../../scripts/chaos/fleet.js";
import { until } from "../support/until.js";
import { endsWell, expectNothingLost, fleetOf, kill } from "./fleet.js";

const IN_FLIGHT = 40;

/** Slow enough that the process has time to spare for results. */
function slowFleet(): Promise<Fleet> {
  return fleetOf({ rows: 2_500, concurrency: IN_FLIGHT, simulator: { latency: { kind: "fixed", ms: 100 } } });
}

async function resultsAreBegun(fleet: Fleet): Promise<void> {
  const partial = join(fleet.runDirectory, "results.csv.partial");
  await until(
    "500 rows of the results are written",
    () => (statSync(partial, { throwIfNoEntry: false })?.size ?? 0) > 20_000,
  );
  expect(existsSync(join(fleet.runDirectory, "results.csv"))).toBe(false);
}

async function filesOf(fleet: Fleet): Promise<string[]> {
  return (await readdir(fleet.runDirectory)).filter((name) => /^(results|errors)\./.test(name));
}

it(
  "begins results while rows are called; after a kill a resume makes them anew, whole",
  { timeout: 120_000 },
  async () => {
    const fleet = await slowFleet();
    const first = fleet.run();
    await resultsAreBegun(fleet);
    await kill(first);
    expect(await filesOf(fleet)).toContain("results.csv.partial");

    await endsWell(fleet.resume());
    expect(await filesOf(fleet)).toEqual(["results.csv"]);
    await expectNothingLost(fleet, { inFlight: IN_FLIGHT, unsent: IN_FLIGHT });
    await endsWell(fleet.start(["export", fleet.runId, "--to", "exported"]));
    const exported = await readFile(join(fleet.options.folder, "exported", "results.csv"), "utf8");
    expect(await readFile(join(fleet.runDirectory, "results.csv"), "utf8")).toBe(exported);
    expect(exported.split("\n")).toHaveLength(1 + 2_500 + 1);
  },
);

it("an interrupted run leaves no results that are not whole", { timeout: 120_000 }, async () => {
  const fleet = await slowFleet();
  const running = fleet.run();
  await resultsAreBegun(fleet);
  running.process.kill("SIGINT");
  expect((await running.ended).code).toBe(130);
  expect(await filesOf(fleet)).toEqual([]);
});
