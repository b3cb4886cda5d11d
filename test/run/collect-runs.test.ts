import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import type { JournalEvent, StartedEvent } from "../../src/protocol/events.js";
import { collectRuns } from "../../src/run/collect-runs.js";
import { lockRunDirectory } from "../../src/run/run-directory.js";
import { pricingOf } from "../../src/run/run-pricing.js";
import { createPriceTable } from "../../src/usage/price-table.js";
import { IDENTITY, settled, writeJournal } from "../support/journal.js";
import { resultOf } from "../usage/results.js";
import { runOf } from "../usage/runs.js";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "promptmill-usage-"));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const rows: JournalEvent[] = [0, 1, 2].map((rowIndex) =>
  settled(resultOf({ rowIndex }), { key: rowIndex + 1 }),
);
const started: StartedEvent = {
  event: "started",
  worker: "w",
  at: "2026-11-22T05:10:00.000Z",
  model: "qwen-plus",
  fence: 1,
  rows: [
    [3, 1, "row-3", [1000, 1000, 1], 1],
    [4, 2, "row-4", null, 1],
  ],
};
const pricing = { provider: "model-studio", region: "singapore", lane: "real-time" };
const runFile = {
  schemaVersion: 1,
  runId: "translate-7",
  identity: IDENTITY,
  state: "running",
  job: { name: "translate", provider: "model-studio", region: "singapore", tags: { team: "a" } },
  pricing,
  rows: 10,
  startedAt: "2026-11-22T05:00:00.000Z",
  finishedAt: null,
};

/** Files are dated in the order given, a second apart. A journal is one of events, or a text. */
async function writeRun(name: string, files: Record<string, unknown>): Promise<string> {
  const directory = join(root, name);
  await mkdir(directory);
  for (const [index, [file, content]] of Object.entries(files).entries()) {
    const path = join(directory, file);
    if (Array.isArray(content)) await writeJournal(directory, content as JournalEvent[]);
    else await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    await utimes(path, 1_000 + index, 1_000 + index);
  }
  return directory;
}

describe("collecting runs", () => {
  it("reads usage.json of a finished run", async () => {
    const { usage } = runOf({ runId: "translate-7" });
    await writeRun("translate-7", { "run.json": runFile, "journal.jsonl": rows, "usage.json": usage });
    expect(await collectRuns([root])).toEqual([
      {
        directory: join(root, "translate-7"),
        source: "usage.json",
        finished: true,
        simulated: false,
        usage,
        warnings: [],
      },
    ]);
  });

  it("counts all that stands in the journal of a run that was killed, calls without an end among them", async () => {
    const directory = await writeRun("translate-7", {
      "run.json": runFile,
      "journal.jsonl": [...rows, started, { event: "unknown", worker: "x", starts: 4 }],
    });
    const path = join(directory, "journal.jsonl");
    await writeFile(path, `${await readFile(path, "utf8")}{"event":"settl`);
    const [run] = await collectRuns([root]);
    expect(run).toMatchObject({
      source: "journal",
      finished: false,
      usage: {
        runId: "translate-7",
        job: "translate",
        tags: { team: "a" },
        rows: { total: 3, succeeded: 3 },
        attempts: { billed: 3, possiblyBilled: 2 },
        cost: { amount: 0.00156, currency: "USD" },
        possiblyBilled: {
          rows: [
            { rowIndex: 3, starts: 1, atMost: { amount: 0.0016 } },
            { rowIndex: 4, atMost: null },
          ],
          unbounded: 1,
          unknownStarts: 4,
        },
      },
      warnings: [],
    });
  });

  it("takes calls without an end for calls under way while the run goes on", async () => {
    const directory = await writeRun("a", { "run.json": runFile, "journal.jsonl": [...rows, started] });
    const lock = await lockRunDirectory(directory);
    const [run] = await collectRuns([root]);
    expect(run?.usage.attempts).toEqual({ billed: 3, possiblyBilled: 0, unknownUsage: 0 });
    lock.release();
  });

  it("adds up the journal when one of its files is younger than usage.json", async () => {
    const { usage } = runOf({ runId: "translate-7" });
    await writeRun("translate-7", {
      "run.json": runFile,
      "journal.jsonl": rows.slice(0, 1),
      "usage.json": usage,
      "journal-2.jsonl": rows.slice(1),
    });
    expect((await collectRuns([root]))[0]).toMatchObject({
      source: "journal",
      finished: false,
      usage: { rows: { total: 3 } },
    });
  });

  it("prices journals anew on request", async () => {
    const { usage } = runOf({ runId: "translate-7" });
    const finished = { ...runFile, state: "finished", finishedAt: "2026-11-22T06:00:00.000Z" };
    await writeRun("translate-7", { "run.json": finished, "journal.jsonl": rows, "usage.json": usage });
    const prices = createPriceTable([{ model: "qwen-plus", currency: "EUR", input: 1000, output: 0 }]);
    const [run] = await collectRuns([root], { prices, reprice: true });
    expect(run).toMatchObject({
      finished: true,
      usage: { job: "translate", cost: { amount: 3, currency: "EUR" } },
    });
  });

  it("prices a run as the run itself does: by run.json, and without it as its job says", async () => {
    const batch = { provider: "model-studio", region: "beijing-batch", lane: "batch" };
    const { pricing: _, ...before } = runFile;
    const job = { ...runFile.job, region: "beijing-batch", protocol: "openai" };
    await writeRun("a", { "run.json": { ...runFile, pricing: batch }, "journal.jsonl": rows });
    await writeRun("b", { "run.json": { ...before, job }, "journal.jsonl": rows });
    const config = await loadConfig({ path: undefined, cwd: root, env: {} });
    const runs = await collectRuns([root], { pricingOf: (known) => pricingOf(known, config) });
    const half = { lane: "batch", cost: { amount: 0.0015, currency: "CNY" } };
    expect(runs.map(({ usage }) => usage)).toMatchObject([half, half]);
  });

  it("tells simulated runs, and counts late answers but no row for them", async () => {
    const late = settled(resultOf({ rowIndex: 1, finishedAt: "2026-11-22T05:59:00.000Z" }), { key: 9 });
    const retry: JournalEvent = { event: "retry", at: "2026-11-22T05:58:00.000Z", rowIndexes: [2] };
    await writeRun("s", {
      "run.json": { ...runFile, simulated: true },
      "journal.jsonl": [...rows, late, retry],
    });
    const [run] = await collectRuns([root]);
    expect(run).toMatchObject({
      simulated: true,
      warnings: [],
      usage: { rows: { total: 3 }, attempts: { billed: 4 } },
    });
  });

  it("says what could not be read, and goes on", async () => {
    const directory = await writeRun("a", { "run.json": "{", "journal.jsonl": rows });
    const path = join(directory, "journal.jsonl");
    await writeFile(path, `${await readFile(path, "utf8")}nonsense\n`);
    await writeRun("b", { "usage.json": { schemaVersion: 99 }, "run.json": runFile });
    await writeRun("notes", { "todo.txt": "not a run" });
    const runs = await collectRuns([root]);
    expect(runs.flatMap((run) => run.warnings)).toEqual([
      expect.stringContaining("run.json could not be read"),
      expect.stringContaining("1 lines of the journal could not be read"),
      expect.stringContaining("usage.json could not be read"),
    ]);
    expect(runs.map(({ usage }) => usage.rows.total)).toEqual([3, 0]);
  });

  it("takes run directories and folders of them, each run once, by start", async () => {
    const late = await writeRun("late", {
      "run.json": { ...runFile, startedAt: "2026-11-23T00:00:00.000Z" },
    });
    const early = await writeRun("early", { "run.json": runFile });
    expect((await collectRuns([late, root])).map((run) => run.directory)).toEqual([early, late]);
  });

  it("finds nothing in an empty folder and refuses one that is not there", async () => {
    expect(await collectRuns([root])).toEqual([]);
    await expect(collectRuns([join(root, "none")])).rejects.toMatchObject({
      code: "run_not_found",
      exitCode: 2,
    });
  });
});
