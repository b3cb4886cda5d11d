import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { selectRows, takeBack, type RetrySelection } from "../../src/run/retry.js";
import type { Result } from "../../src/types.js";
import { loadJournal } from "../../src/writer/journal-load.js";
import { answered, refused } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";

const cut: Result = {
  ...answered(1),
  output: { text: "so", reasoning: null, finishReason: "length" },
} as Result;
/** Row 5 is not settled. */
const results = [
  answered(0),
  cut,
  refused(2, { kind: "server", code: "http_503" }),
  refused(3, { kind: "content_filter", code: "data_inspection_failed" }),
  refused(4, { kind: "server", code: "http_500" }),
];

async function journal(): Promise<string> {
  const path = join(await tempFolder(), "journal.jsonl");
  await writeFile(path, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
  return path;
}

describe("A retry", () => {
  it.each<{ selection: RetrySelection; rows: number[]; what: string }>([
    { what: "every failed row when nothing else is said", selection: {}, rows: [2, 3, 4] },
    { what: "failed rows of a kind", selection: { kinds: ["server"] }, rows: [2, 4] },
    {
      what: "failed rows of several kinds",
      selection: { kinds: ["server", "content_filter"] },
      rows: [2, 3, 4],
    },
    { what: "failed rows with a code", selection: { codes: ["http_500"] }, rows: [4] },
    {
      what: "failed rows of both a kind and a code",
      selection: { kinds: ["server"], codes: ["x"] },
      rows: [],
    },
    {
      what: "answers that were cut off, and no failed row",
      selection: { finishReasons: ["length"] },
      rows: [1],
    },
    {
      what: "answers that were cut off as well as failed rows of a kind",
      selection: { finishReasons: ["length"], kinds: ["content_filter"] },
      rows: [1, 3],
    },
  ])("means $what", async ({ selection, rows }) => {
    const path = await journal();
    const { index } = await loadJournal(path, 6);
    expect(await selectRows(path, 6, index, selection)).toEqual(rows);
  });

  it("takes its rows back durably and leaves all others settled", async () => {
    const path = await journal();
    expect(await takeBack(path, 6, { kinds: ["server"] })).toBe(2);
    const { index } = await loadJournal(path, 6);
    expect([0, 1, 2, 3, 4, 5].map((row) => index.isSettled(row))).toEqual([
      true,
      true,
      false,
      true,
      false,
      false,
    ]);
    const last = (await readFile(path, "utf8")).trimEnd().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toEqual({
      event: "retry",
      at: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/) as string,
      rowIndexes: [2, 4],
    });
  });

  it("is refused when no row is meant, and changes nothing", async () => {
    const path = await journal();
    await expect(takeBack(path, 6, { kinds: ["timeout"] })).rejects.toMatchObject({
      code: "nothing_to_retry",
      exitCode: 2,
    });
    expect((await loadJournal(path, 6)).index.settled).toBe(5);
  });
});
