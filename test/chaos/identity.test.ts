import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findingsOf, resultRows } from "../../scripts/chaos/findings.js";
import { textOf, writeJob } from "../../scripts/chaos/fleet.js";
import { tempFolder } from "../support/temp-folder.js";
import { answers, endsWell, fleetOf, kill, stopWorkers } from "./fleet.js";

const latency = { latency: { kind: "fixed", ms: 100 } } as const;

it.each([
  ["Redis", true],
  ["the embedded queue", false],
])(
  "a run that was killed, removed and started again under its name with other rows has no answer to the old ones, on %s",
  { timeout: 120_000 },
  async (_queue, redis) => {
    const fleet = await fleetOf({ rows: 100, concurrency: 8, redis, simulator: latency });
    const worker = redis ? fleet.worker(4) : null;
    const first = fleet.run();
    await answers(fleet, 20);
    await kill(first);
    await rm(join(fleet.options.folder, "runs"), { recursive: true });
    const ids = Array.from({ length: 60 }, (_, row) => `new-${row}`);
    await fleet.writeInput(ids.map((id) => `${id},${textOf(id)}`));

    await endsWell(fleet.run());
    const found = await findingsOf(fleet, [], ids);
    expect(found).toMatchObject({ rowsLost: 0, rowsTwice: 0, rowsFailed: 0, usageErrors: [] });
    expect(found).toMatchObject({ billed: 60, possiblyBilled: 0, unknownStarts: 0 });
    for (const { id, answer } of await resultRows(fleet)) expect(answer).toContain(`the text of ${id}`);
    if (worker !== null) await stopWorkers(worker);
  },
);

it(
  "two runs of one name on one Redis, from two folders, at once, run apart: no row of one in the other",
  { timeout: 120_000 },
  async () => {
    const fleet = await fleetOf({ rows: 80, concurrency: 8, simulator: latency });
    const elsewhere = await tempFolder();
    const ids = Array.from({ length: 70 }, (_, row) => `other-${row}`);
    await writeJob(elsewhere, ids, fleet.options);
    const worker = fleet.worker(8);
    const runs = [fleet.run(), fleet.start(["run", "job.yaml", "--run-id", fleet.runId], { cwd: elsewhere })];
    for (const each of runs) await endsWell(each);

    expect(fleet.simulator.calls().total).toBe(150);
    for (const [runDirectory, expected] of [
      [fleet.runDirectory, fleet.ids],
      [join(elsewhere, "runs", fleet.runId), ids],
    ] as const) {
      const rows = await resultRows({ runDirectory });
      expect(rows.map(({ id }) => id)).toEqual(expected);
      for (const { id, answer } of rows) expect(answer).toContain(`the text of ${id}`);
    }
    await stopWorkers(worker);
  },
);
