import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { silentLog } from "../../src/log.js";
import { exportRun } from "../../src/run/export.js";
import { reportRuns } from "../../src/run/report.js";
import { openReuse } from "../../src/run/reuse.js";
import { readRunRecord } from "../../src/run/run-directory.js";
import { runStatus } from "../../src/run/status.js";
import type { UsageReport } from "../../src/usage/index.js";
import { tempFolder } from "../support/temp-folder.js";

/** Runs of the version before journals held events, as they were left behind. */
const OLD_RUNS = fileURLToPath(new URL("../fixtures/runs-v1", import.meta.url));

/** A copy of one in a folder of runs of its own, with its input where run.json says. */
async function oldRun(name: string): Promise<{ root: string; directory: string }> {
  const root = await tempFolder();
  const directory = join(root, name);
  await cp(join(OLD_RUNS, name), directory, { recursive: true });
  const path = join(directory, "run.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replaceAll('"input.csv"', JSON.stringify(join(directory, "input.csv"))));
  return { root, directory };
}

/** What its journal alone says it used and cost. */
async function usageByJournal(name: string): Promise<UsageReport> {
  const { root, directory } = await oldRun(name);
  await rm(join(directory, "usage.json"), { force: true });
  const config = await loadConfig({ path: undefined, cwd: root, env: {} });
  const options = { runsRoot: root, config, reprice: false, simulated: true };
  const { runs } = await reportRuns({ ...options, runs: [] });
  expect(runs).toMatchObject([{ source: "journal", warnings: [] }]);
  return (runs[0] as (typeof runs)[number]).usage;
}

describe("A run of the version before", () => {
  it.each(["finished", "retried", "priced", "schema", "reused", "interrupted", "changed"])(
    "costs what it said itself: %s",
    async (name) => {
      const said = JSON.parse(await readFile(join(OLD_RUNS, name, "usage.json"), "utf8")) as UsageReport;
      const usage = await usageByJournal(name);
      const { models, hours, possiblyBilled, ...rest } = said;
      const { rows: _, ...sums } = possiblyBilled;
      expect(usage).toMatchObject({ ...rest, models, hours, possiblyBilled: sums });
      const starts = (report: UsageReport): number =>
        report.possiblyBilled.rows.reduce((sum, row) => sum + row.starts, 0);
      expect(starts(usage)).toBe(starts(said));
      expect(usage.attempts.unknownUsage).toBe(0);
    },
  );

  it("that was killed is priced by its region and lane", async () => {
    const usage = await usageByJournal("killed");
    expect(usage).toMatchObject({
      lane: "batch",
      region: "beijing-batch",
      finishedAt: null,
      rows: { total: 5, succeeded: 5 },
      attempts: { billed: 5 },
      cost: { currency: "CNY" },
    });
    expect(usage.cost.amount).toBeGreaterThan(0);
  });

  it.each(["finished", "retried", "priced", "schema", "reused", "changed"])(
    "has the results that it had: %s",
    async (name) => {
      const { root } = await oldRun(name);
      const to = await tempFolder();
      const { files } = await exportRun({ run: name, runsRoot: root, to });
      expect(await readFile(files.results, "utf8")).toBe(
        await readFile(join(OLD_RUNS, name, "results.csv"), "utf8"),
      );
      if (files.errors === null) return;
      const errors = (await readFile(files.errors, "utf8")).trimEnd().split("\n");
      expect(errors.length).toBeGreaterThan(0);
      for (const line of errors) expect(JSON.parse(line)).not.toHaveProperty("attemptsStarted");
    },
  );

  it("stands where it stood", async () => {
    const killed = await oldRun("killed");
    expect(await runStatus(killed.root, "killed")).toMatchObject({
      state: "stopped",
      rows: { total: 12, succeeded: 5, failed: 0 },
    });
    const interrupted = await oldRun("interrupted");
    expect(await runStatus(interrupted.root, "interrupted")).toMatchObject({ state: "interrupted" });
  });

  it("has answers to reuse", async () => {
    const { root, directory } = await oldRun("finished");
    const record = await readRunRecord(directory);
    const reuse = await openReuse(root, "another", { ...record.job, reuse: true }, silentLog);
    expect(reuse?.size).toBe(record.counts.succeeded);
    const lines = (await readFile(join(directory, "journal.jsonl"), "utf8")).trimEnd().split("\n");
    const { requestDigest, output, usage } = JSON.parse(
      lines.find((line) => line.includes("succeeded")) ?? "",
    ) as {
      requestDigest: string;
      output: object;
      usage: object;
    };
    const task = { rowIndex: 3, customId: "mine", preset: null, requestDigest };
    expect(await reuse?.find(task)).toMatchObject({
      rowIndex: 3,
      customId: "mine",
      attempts: 0,
      usage: null,
      reused: { runId: "finished", usage },
      output,
    });
    await reuse?.close();
  });
});
