import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collectRuns } from "../../src/usage/collect-runs.js";
import { createPriceTable } from "../../src/usage/price-table.js";
import { resultOf } from "./results.js";
import { runOf } from "./runs.js";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "promptmill-usage-"));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const journal = [0, 1, 2].map((rowIndex) => JSON.stringify(resultOf({ rowIndex }))).join("\n") + "\n";
const runFile = {
  runId: "translate-7",
  job: { name: "translate", provider: "model-studio", region: "singapore", tags: { team: "a" } },
  startedAt: "2026-11-22T05:00:00.000Z",
};

/** Files are dated in the order given, a second apart. */
async function writeRun(name: string, files: Record<string, unknown>): Promise<string> {
  const directory = join(root, name);
  await mkdir(directory);
  for (const [index, [file, content]] of Object.entries(files).entries()) {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await writeFile(join(directory, file), text);
    await utimes(join(directory, file), 1_000 + index, 1_000 + index);
  }
  return directory;
}

describe("collecting runs", () => {
  it("reads usage.json of a finished run", async () => {
    const { usage } = runOf({ runId: "translate-7" });
    await writeRun("translate-7", { "run.json": runFile, "journal.jsonl": journal, "usage.json": usage });
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

  it("adds up the journal of a run that is going on, but for a torn last line", async () => {
    await writeRun("translate-7", { "run.json": runFile, "journal.jsonl": `${journal}{"rowIndex":3,"custo` });
    const [run] = await collectRuns([root]);
    expect(run).toMatchObject({
      source: "journal",
      finished: false,
      usage: {
        runId: "translate-7",
        job: "translate",
        tags: { team: "a" },
        rows: { total: 3, succeeded: 3 },
        cost: { amount: 0.00156, currency: "USD" },
      },
      warnings: [],
    });
  });

  it("adds up the journal when it is younger than usage.json", async () => {
    const { usage } = runOf({ runId: "translate-7" });
    await writeRun("translate-7", { "run.json": runFile, "usage.json": usage, "journal.jsonl": journal });
    expect((await collectRuns([root]))[0]).toMatchObject({
      source: "journal",
      finished: false,
      usage: { rows: { total: 3 } },
    });
  });

  it("prices journals anew on request", async () => {
    const { usage } = runOf({ runId: "translate-7" });
    await writeRun("translate-7", { "journal.jsonl": journal, "usage.json": usage });
    const prices = createPriceTable([{ model: "qwen-plus", currency: "EUR", input: 1000, output: 0 }]);
    const [run] = await collectRuns([root], { prices, reprice: true });
    expect(run).toMatchObject({
      finished: true,
      usage: { job: "translate", cost: { amount: 3, currency: "EUR" } },
    });
  });

  it("tells simulated runs, and counts extra answers but no row for them", async () => {
    const extra = {
      event: "extra",
      result: resultOf({ rowIndex: 1, finishedAt: "2026-11-22T05:59:00.000Z" }),
    };
    const retry = { event: "retry", at: "2026-11-22T05:58:00.000Z", rowIndexes: [2] };
    const lines = `${journal}${JSON.stringify(extra)}\n${JSON.stringify(extra)}\n${JSON.stringify(retry)}\n`;
    await writeRun("s", { "run.json": { ...runFile, simulated: true }, "journal.jsonl": lines });
    const [run] = await collectRuns([root]);
    expect(run).toMatchObject({
      simulated: true,
      warnings: [],
      usage: { rows: { total: 3 }, attempts: { billed: 4 } },
    });
  });

  it("says what could not be read, and goes on", async () => {
    await writeRun("a", { "run.json": "{", "journal.jsonl": `nonsense\n${journal}` });
    await writeRun("b", { "usage.json": { schemaVersion: 99 }, "run.json": runFile });
    await writeRun("notes", { "todo.txt": "not a run" });
    const runs = await collectRuns([root]);
    expect(runs.flatMap((run) => run.warnings)).toEqual([
      expect.stringContaining("usage.json could not be read"),
      expect.stringContaining("1 lines of journal.jsonl could not be read"),
    ]);
    expect(runs).toHaveLength(2);
  });

  it("counts a journal line that stands there twice once", async () => {
    await writeRun("a", { "run.json": runFile, "journal.jsonl": journal + journal });
    expect((await collectRuns([root]))[0]?.usage.attempts.billed).toBe(3);
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
