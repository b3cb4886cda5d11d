import { spawn } from "node:child_process";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findingsOf, recordedRows } from "../../scripts/chaos/findings.js";
import type { Fleet } from "../../scripts/chaos/fleet.js";
import { answers, endsWell, expectNothingLost, fleetOf, kill } from "./fleet.js";

const program = fileURLToPath(new URL("../../bin/promptmill.js", import.meta.url));

describe("a full disk", () => {
  it(
    "halts the run with exit 4 and the cause, keeps what was settled, and goes on once there is room",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({
        rows: 300,
        concurrency: 10,
        simulator: { latency: { kind: "fixed", ms: 20 } },
      });
      // No file may grow beyond 40 KiB: what a quota does, without a right of its own to set one.
      const args = ["run", "job.yaml", "--run-id", fleet.runId, "--out", "runs", "--queue", fleet.redis.url];
      const limited = fleet.track(
        "run",
        spawn("bash", ["-c", 'ulimit -f 40; exec "$0" "$@"', process.execPath, program, ...args], {
          cwd: fleet.options.folder,
          env: fleet.environment(),
          stdio: ["ignore", "pipe", "pipe"],
        }),
      );
      expect((await limited.ended).code, limited.stderr()).toBe(4);
      expect(limited.stdout()).toContain("The disk of the run directory is full");
      const recorded = recordedRows(fleet);
      expect(recorded.size).toBeGreaterThan(20);
      await endsWell(fleet.resume());
      // Answers that found no room were kept by the queue, or are listed.
      await expectNothingLost(fleet, { recorded: [recorded], inFlight: 10, unsent: 10 });
    },
  );
});

describe("a damaged journal", () => {
  const journalOf = (fleet: Fleet): string => join(fleet.runDirectory, "journal.jsonl");

  async function stopped(): Promise<Fleet> {
    const fleet = await fleetOf({
      rows: 100,
      concurrency: 5,
      simulator: { latency: { kind: "fixed", ms: 50 } },
    });
    const running = fleet.run();
    await answers(fleet, 40);
    await kill(running);
    return fleet;
  }

  it(
    "with a torn last line is mended: the rows of that line alone are called again",
    { timeout: 120_000 },
    async () => {
      const fleet = await stopped();
      const text = await readFile(journalOf(fleet), "utf8");
      await truncate(journalOf(fleet), Buffer.byteLength(text) - 30);
      await endsWell(fleet.resume());
      const found = await findingsOf(fleet, []);
      expect(found).toMatchObject({ rowsLost: 0, rowsTwice: 0, rowsFailed: 0, usageErrors: [] });
      expect(found.repeated).toBeLessThanOrEqual(5 + 5);
      // The line may have been the mark of calls that went out together: of all 5 at most.
      expect(found.unlisted.length).toBeLessThanOrEqual(5);
    },
  );

  it("with a line that stands twice counts it once", { timeout: 120_000 }, async () => {
    const fleet = await stopped();
    const lines = (await readFile(journalOf(fleet), "utf8")).split("\n").slice(0, -1);
    const settled = lines.find((line) => line.includes('"event":"settled"'));
    await writeFile(journalOf(fleet), [...lines, settled, ""].join("\n"));
    await endsWell(fleet.resume());
    const usage = JSON.parse(await readFile(join(fleet.runDirectory, "usage.json"), "utf8")) as {
      attempts: { billed: number };
    };
    expect(usage.attempts.billed).toBe(100);
  });

  it(
    "with garbage in the middle is refused, with the line, and nothing is called",
    { timeout: 120_000 },
    async () => {
      const fleet = await stopped();
      const lines = (await readFile(journalOf(fleet), "utf8")).split("\n");
      lines[2] = "garbage";
      await writeFile(journalOf(fleet), lines.join("\n"));
      const calls = fleet.simulator.calls().total;
      const refused = fleet.resume();
      expect((await refused.ended).code).toBe(2);
      expect(refused.stderr()).toContain("journal.jsonl:3: expected an event");
      expect(fleet.simulator.calls().total).toBe(calls);
    },
  );
});
