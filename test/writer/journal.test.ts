import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Result } from "../../src/types.js";
import { loadJournal } from "../../src/writer/journal-load.js";
import { JournalReader } from "../../src/writer/journal-reader.js";
import { Journal, type DurableLine } from "../../src/writer/journal.js";
import { answered, refused } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";

async function openJournal(path: string, size = 0): Promise<{ journal: Journal; groups: DurableLine[][] }> {
  const groups: DurableLine[][] = [];
  const fail = (error: Error): never => {
    throw error;
  };
  return { journal: await Journal.open(path, size, (lines) => groups.push(lines), fail), groups };
}

async function journalWith(lines: readonly unknown[], tail = ""): Promise<string> {
  const path = join(await tempFolder(), "journal.jsonl");
  await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join("") + tail);
  return path;
}

describe("The journal", () => {
  it("writes what is appended together in one flush, in order, and says where each line is", async () => {
    const path = join(await tempFolder(), "journal.jsonl");
    const { journal, groups } = await openJournal(path);
    const results = Array.from({ length: 100 }, (_, row) => answered(row, `Ä${"x".repeat(row)}\n😀`));
    for (const result of results) journal.append(result);
    await journal.drain();
    expect(groups).toHaveLength(1);
    const bytes = await readFile(path);
    for (const [row, { offset, length }] of (groups[0] ?? []).entries()) {
      expect(JSON.parse(bytes.subarray(offset, offset + length).toString())).toEqual(results[row]);
    }
    await journal.close();
  });

  it("takes lines while a flush is under way", async () => {
    const path = join(await tempFolder(), "journal.jsonl");
    const { journal, groups } = await openJournal(path);
    for (let row = 0; row < 300; row++) {
      journal.append(answered(row));
      if (row % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await journal.close();
    expect(groups.flat().map(({ entry }) => (entry as Result).rowIndex)).toEqual([...Array(300).keys()]);
    const { index, size } = await loadJournal(path, 300);
    expect(index.succeeded).toBe(300);
    expect(size).toBe((await readFile(path)).length);
  });

  it("goes on behind the last whole line and cuts a torn one off", async () => {
    const path = await journalWith([answered(0)], '{"rowIndex":1,"status":"succ');
    const { size, tornBytes, index } = await loadJournal(path, 3);
    expect(tornBytes).toBe(28);
    expect(index.settled).toBe(1);
    const { journal } = await openJournal(path, size);
    journal.append(answered(2));
    await journal.close();
    const after = await loadJournal(path, 3);
    expect(after).toMatchObject({ tornBytes: 0, duplicates: 0 });
    expect([0, 1, 2].map((row) => after.index.isSettled(row))).toEqual([true, false, true]);
  });

  it("is empty when it holds nothing but a torn line", async () => {
    expect(await loadJournal(await journalWith([], '{"row'), 3)).toMatchObject({ size: 0, tornBytes: 5 });
    expect(await loadJournal(await journalWith([]), 3)).toMatchObject({ size: 0, tornBytes: 0 });
  });

  it("counts a line once that was written twice", async () => {
    const seen: number[] = [];
    const path = await journalWith([answered(0), answered(1), answered(0)]);
    const { index, duplicates } = await loadJournal(path, 2, ({ rowIndex }) => seen.push(rowIndex));
    expect(duplicates).toBe(1);
    expect(seen).toEqual([0, 1]);
    expect(index.succeeded).toBe(2);
  });

  it("keeps both results of a row that was tried again, and the later one stands", async () => {
    const again = { event: "retry", at: "2026-01-02T00:00:00Z", rowIndexes: [1] };
    const later = answered(1, "better", { attemptsStarted: 2 });
    const path = await journalWith([answered(0), refused(1), again, later]);
    const seen: string[] = [];
    const { index } = await loadJournal(path, 2, ({ status }) => seen.push(status));
    expect(seen).toEqual(["succeeded", "failed", "succeeded"]);
    expect({ succeeded: index.succeeded, failed: index.failed }).toEqual({ succeeded: 2, failed: 0 });
    const reader = await JournalReader.open(path, index);
    expect(await reader.read(1)).toEqual(later);
    await reader.close();
  });

  it("forgets no row's last result when it is taken back", async () => {
    const path = await journalWith([refused(0), { event: "retry", at: "", rowIndexes: [0] }]);
    const { index } = await loadJournal(path, 1);
    expect(index.isSettled(0)).toBe(false);
    const reader = await JournalReader.open(path, index);
    expect(await reader.read(0)).toEqual(refused(0));
    await reader.close();
  });

  it("counts an extra answer as paid for, without letting it stand", async () => {
    const extra = answered(0, "too late", { attemptsStarted: 2 });
    const path = await journalWith([
      answered(0),
      { event: "extra", result: extra },
      { event: "extra", result: extra },
    ]);
    const seen: [string, boolean][] = [];
    const { index } = await loadJournal(path, 1, (result, isExtra) =>
      seen.push([result.status === "succeeded" ? result.output.text : "", isExtra]),
    );
    expect(seen).toEqual([
      ["answer 0", false],
      ["too late", true],
    ]);
    const reader = await JournalReader.open(path, index);
    expect(await reader.read(0)).toEqual(answered(0));
    await reader.close();
  });

  it.each([
    ["text", "rubbish\n"],
    ["a line of NULs", `${"\0".repeat(20)}\n`],
    ["JSON that is no result", '{"hello":1}\n'],
    ["a row that the run does not have", `${JSON.stringify(answered(99))}\n`],
    ["a row before the first", `${JSON.stringify(answered(-1))}\n`],
    ["an unknown status", '{"rowIndex":1,"status":"maybe"}\n'],
    ["null", "null\n"],
    ["an empty line", "\n"],
  ])("refuses %s in its middle, and names the line", async (_what, garbage) => {
    const path = await journalWith([answered(0)], garbage);
    await appendFile(path, `${JSON.stringify(answered(1))}\n`);
    await expect(loadJournal(path, 3)).rejects.toMatchObject({
      code: "journal_corrupt",
      exitCode: 2,
      message: expect.stringContaining(`${path}:2:`) as string,
    });
  });

  it("reads lines of any length, wherever blocks and chunks end", async () => {
    const texts = [10, 255 * 1024, 256 * 1024, 1024 * 1024, 3, 2_500_000, 1].map((size) => "ä".repeat(size));
    const path = await journalWith(texts.map((text, row) => answered(row, text)));
    const { index } = await loadJournal(path, texts.length);
    const reader = await JournalReader.open(path, index);
    for (const [row, text] of texts.entries()) expect(await reader.read(row)).toEqual(answered(row, text));
    await reader.close();
  });
});
