import { readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { acceptInput } from "../../src/journal/accept-input.js";
import { JournalTail } from "../../src/journal/journal-tail.js";
import { Journal } from "../../src/journal/journal.js";
import { loadJournal } from "../../src/journal/load-journal.js";
import type { SettledEvent, StartedEvent } from "../../src/protocol/events.js";
import { buildUsageReport, UsageTotals, type UsageReport } from "../../src/usage/index.js";
import { IDENTITY, ledgerOf, settled, writeJournal } from "../support/journal.js";
import { answered } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";

const NEXT = "another identity";
const usage = { inputTokens: 1000, outputTokens: 100, cachedInputTokens: 0, reasoningTokens: 0 };
const started: StartedEvent = {
  event: "started",
  worker: "w",
  at: "2026-01-02T03:04:05Z",
  model: "qwen-plus",
  fence: 1,
  rows: [[7, 9, "r7", [1000, 1000, 1], 1]],
};

async function* kept(...results: SettledEvent[]): AsyncGenerator<SettledEvent> {
  yield* results;
}

function asSettled(rowIndex: number, text: string): SettledEvent {
  return settled(answered(rowIndex, text, { usage })) as SettledEvent;
}

/** Rows 0 to 2 of eight were answered and paid, a call for row 7 is open; of two new rows, the second was row 2. */
async function accepted(): Promise<string> {
  const directory = await tempFolder();
  const paid = [0, 1, 2].map((row) => settled(answered(row, `answer ${row}`, { usage }), { key: row + 1 }));
  await writeJournal(directory, [...paid, started]);
  await acceptInput({
    directory,
    identity: NEXT,
    rowsBefore: 8,
    results: kept(asSettled(1, "answer 2")),
  });
  return directory;
}

async function usageOf(directory: string, rows: number, identity: string): Promise<UsageReport> {
  const totals = new UsageTotals({ region: "singapore", provider: "model-studio" });
  const ledger = await ledgerOf(directory, rows, totals, identity);
  const meta = { runId: "r", job: "j", tags: {}, startedAt: "", finishedAt: null };
  return buildUsageReport(totals, { ...meta, openStarts: ledger.openStarts() });
}

describe("Another input of a run", () => {
  it("leaves the rows their results that it has, and everything that was paid counted", async () => {
    const directory = await accepted();
    const { rows } = await ledgerOf(directory, 2, {}, NEXT);
    expect([0, 1].map((row) => rows.isSettled(row))).toEqual([false, true]);
    expect(rows.settled).toBe(1);
    const after = await usageOf(directory, 2, NEXT);
    const before = await usageOf(directory, 8, IDENTITY);
    expect(before).toMatchObject({ rows: { total: 3 }, attempts: { billed: 3, possiblyBilled: 1 } });
    expect(after).toMatchObject({ rows: { total: 1 }, attempts: { billed: 3, possiblyBilled: 1 } });
    expect(after.tokens).toEqual(before.tokens);
    expect(after.cost).toEqual(before.cost);
    expect(after.possiblyBilled).toEqual(before.possiblyBilled);
    expect(after.possiblyBilled.atMost).toHaveLength(1);
  });

  it("does not count before run.json has its identity", async () => {
    const directory = await accepted();
    expect((await ledgerOf(directory, 8)).rows.settled).toBe(3);
    await writeJournal(directory, [settled(answered(3))]);
    expect((await ledgerOf(directory, 8)).rows.settled).toBe(4);
  });

  it("may be accepted again after a crash, and be followed by yet another one", async () => {
    const directory = await accepted();
    await acceptInput({
      directory,
      identity: "third",
      rowsBefore: 8,
      results: kept(asSettled(0, "answer 2")),
    });
    await writeJournal(directory, [settled(answered(4), { key: 4 })], "third");
    expect((await ledgerOf(directory, 5, {}, "third")).rows.settled).toBe(2);
    await acceptInput({ directory, identity: "fourth", rowsBefore: 5, results: kept() });
    expect((await ledgerOf(directory, 1, {}, "fourth")).rows.settled).toBe(0);
    expect((await usageOf(directory, 1, "fourth")).attempts.billed).toBe(4);
  });

  it("is there as a whole or not at all", async () => {
    const directory = await tempFolder();
    await writeJournal(directory, [settled(answered(0))]);
    async function* failing(): AsyncGenerator<SettledEvent> {
      yield asSettled(0, "kept");
      throw new Error("the new input cannot be read");
    }
    const refused = acceptInput({ directory, identity: NEXT, rowsBefore: 1, results: failing() });
    await expect(refused).rejects.toThrow("the new input");
    expect(await readdir(directory)).not.toContain("journal-2.jsonl");
    expect((await ledgerOf(directory, 1, {}, NEXT)).rows.settled).toBe(1);
  });

  it("hides from a coordinator what comes to files of the input before", async () => {
    const directory = await tempFolder();
    const old = await Journal.create(directory, IDENTITY);
    await acceptInput({ directory, identity: NEXT, rowsBefore: 8, results: kept() });
    const loaded = await loadJournal({ directory, identity: NEXT, rows: 2 }, () => {});
    const own = await Journal.create(directory, NEXT);
    const tail = new JournalTail({ directory, own: own.number, rows: 2, loaded });
    old.write([{ event: settled(answered(7)) }]);
    expect(await tail.newEvents()).toEqual([]);
    await old.close();
    await own.close();
  });
});
