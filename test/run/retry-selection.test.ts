import { describe, expect, it } from "vitest";
import { selectRows, type RetrySelection } from "../../src/run/retry.js";
import type { Result } from "../../src/types.js";
import { IDENTITY, settled, writeJournal } from "../support/journal.js";
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

const record = { identity: IDENTITY, rows: 6 };

async function journal(): Promise<string> {
  const directory = await tempFolder();
  await writeJournal(
    directory,
    results.map((result) => settled(result)),
  );
  return directory;
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
      selection: { kinds: ["server"], codes: ["http_503"] },
      rows: [2],
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
    expect(await selectRows(await journal(), record, selection)).toEqual(rows);
  });

  it("means no row that is to be called again already", async () => {
    const directory = await journal();
    await writeJournal(directory, [{ event: "retry", at: "2026-01-02T00:00:00Z", rowIndexes: [2, 4] }]);
    expect(await selectRows(directory, record, {})).toEqual([3]);
  });

  it.each([{ kinds: ["timeout"] }, { kinds: ["server"], codes: ["x"] }])(
    "is refused when %o means no row",
    async (selection) => {
      await expect(selectRows(await journal(), record, selection)).rejects.toMatchObject({
        code: "nothing_to_retry",
        exitCode: 2,
      });
    },
  );
});
