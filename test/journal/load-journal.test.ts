import * as fc from "fast-check";
import { appendFile, mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { JournalReader } from "../../src/journal/journal-reader.js";
import { JournalTail } from "../../src/journal/journal-tail.js";
import { Journal } from "../../src/journal/journal.js";
import { LineBuffer } from "../../src/journal/line-buffer.js";
import { loadJournal } from "../../src/journal/load-journal.js";
import type { UsageError } from "../../src/errors.js";
import type { JournalEvent } from "../../src/protocol/events.js";
import { IDENTITY, ledgerOf, settled, writeJournal } from "../support/journal.js";
import { answered, refused } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";
import { workerEvents } from "./events.js";

const ROWS = 10;

async function eventsOf(directory: string): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  await loadJournal({ directory, identity: IDENTITY, rows: ROWS }, (event) => events.push(event));
  return events.filter(({ event }) => event !== "run");
}

function sealed(event: object): string {
  const buffer = new LineBuffer();
  buffer.add(JSON.stringify(event));
  return buffer.bytes.toString("utf8");
}

describe("A journal that is read", () => {
  it("says what was written, in the order of its files", async () => {
    const directory = await tempFolder();
    const written: JournalEvent[] = [
      ...Object.values(workerEvents),
      { event: "fence", fence: 1 },
      { event: "fence", fence: 1, server: "s", suspects: { w: 2 } },
      { event: "put", lease: 1, fence: 1, rows: [0, 9] },
      { event: "shares", shares: { w: 3 } },
      { event: "dead", worker: "w" },
      { event: "known", worker: "w" },
      { event: "unknown", worker: "w", starts: 2 },
      { event: "retry", at: "2026-01-02T03:04:05Z", rowIndexes: [2] },
    ];
    for (const event of written) await writeJournal(directory, [event]);
    expect(await eventsOf(directory)).toEqual(written);
  });

  it("is empty when there is none, and where nothing was written", async () => {
    const directory = await tempFolder();
    expect(await eventsOf(directory)).toEqual([]);
    await writeFile(join(directory, "journal.jsonl"), "");
    expect(await eventsOf(directory)).toEqual([]);
    await writeFile(join(directory, "journal.jsonl"), '{"event":"run","ver');
    expect(await eventsOf(directory)).toEqual([]);
  });

  it("passes over a torn last line of each file", async () => {
    const directory = await tempFolder();
    await writeJournal(directory, [settled(answered(0)), settled(answered(1))]);
    await writeJournal(directory, [settled(answered(2)), settled(answered(3))]);
    for (const name of ["journal.jsonl", "journal-2.jsonl"]) {
      const path = join(directory, name);
      await truncate(path, (await readFile(path)).length - 7);
    }
    let rows: number[] = [];
    const { tornBytes } = await loadJournal({ directory, identity: IDENTITY, rows: ROWS }, (event) => {
      if (event.event === "settled") rows = [...rows, event.rowIndex];
    });
    expect(rows).toEqual([0, 2]);
    expect(tornBytes).toBeGreaterThan(400);
  });

  it("says of every beginning of it what its whole lines say", async () => {
    const directory = await tempFolder();
    await writeJournal(directory, Object.values(workerEvents));
    const path = join(directory, "journal.jsonl");
    const bytes = await readFile(path);
    const all = await eventsOf(directory);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), async (length) => {
        await writeFile(path, bytes.subarray(0, length));
        const lines = bytes.subarray(0, length).filter((byte) => byte === 10).length;
        expect(await eventsOf(directory)).toEqual(all.slice(0, Math.max(0, lines - 1)));
      }),
      { numRuns: 60 },
    );
  });

  it("refuses a byte that is another, wherever it is, and names the line", async () => {
    const directory = await tempFolder();
    await writeJournal(directory, Object.values(workerEvents));
    const path = join(directory, "journal.jsonl");
    const bytes = await readFile(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 2), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ change;
        await writeFile(path, changed);
        const error = await eventsOf(directory).then(
          () => null,
          (refused: UsageError) => refused,
        );
        const line = bytes.subarray(0, at).filter((byte) => byte === 10).length + 1;
        // One byte can make the version a later one.
        expect(["journal_corrupt", "journal_newer"]).toContain(error?.code);
        expect(error?.message).toContain(`${path}:${line}:`);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ["text", "rubbish\n"],
    ["a line of NULs", `${"\0".repeat(20)}\n`],
    ["an empty line", "\n"],
    ["an event without its checksum", `${JSON.stringify(workerEvents.void)}\n`],
    ["a row that the run does not have", sealed(settled(answered(ROWS)))],
    ["a row before the first", sealed(settled(answered(-1)))],
    ["a result without its outcome", sealed({ ...settled(answered(1)), output: null })],
  ])("refuses %s", async (_what, garbage) => {
    const directory = await tempFolder();
    await writeJournal(directory, [settled(answered(0))]);
    const path = join(directory, "journal.jsonl");
    await appendFile(path, garbage + sealed(settled(answered(1))));
    await expect(eventsOf(directory)).rejects.toMatchObject({
      code: "journal_corrupt",
      exitCode: 2,
      message: expect.stringContaining(`${path}:3:`) as string,
    });
    const unreadable: string[] = [];
    const onUnreadable = (error: UsageError): number => unreadable.push(error.code);
    let events = 0;
    await loadJournal({ directory, identity: IDENTITY, rows: ROWS, onUnreadable }, () => events++);
    expect({ unreadable, events }).toEqual({ unreadable: ["journal_corrupt"], events: 3 });
  });

  it.each([
    ["an event that this version does not know", sealed({ event: "split", rowIndex: 1 })],
    ["a later version of the journal", sealed({ event: "run", version: 3, identity: "i" })],
    ["a later version without such checksums", '{"event":"run","version":3,"sha":"…"}\n'],
  ])("says of %s that it takes a newer promptmill", async (_what, line) => {
    const directory = await tempFolder();
    const path = join(directory, "journal.jsonl");
    await writeFile(path, sealed({ event: "run", version: 2, identity: "i", at: "2026-01-02T03:04:05Z" }));
    await appendFile(path, line);
    const onUnreadable = (): void => {};
    await expect(
      loadJournal({ directory, identity: IDENTITY, rows: ROWS, onUnreadable }, () => {}),
    ).rejects.toMatchObject({ code: "journal_newer", exitCode: 2 });
  });
});

describe("What other coordinators write", () => {
  it("comes once, line by line, from files known and new, and not from one's own", async () => {
    const directory = await tempFolder();
    const other = await Journal.create(directory, IDENTITY);
    other.write([{ event: settled(answered(0)) }]);
    const loaded = await loadJournal({ directory, identity: IDENTITY, rows: ROWS }, () => {});
    const own = await Journal.create(directory, IDENTITY);
    const tail = new JournalTail({ directory, own: own.number, rows: ROWS, loaded });
    const newRows = async (): Promise<number[]> =>
      (await tail.newEvents()).flatMap(({ event }) => (event.event === "settled" ? [event.rowIndex] : []));
    expect(await newRows()).toEqual([]);
    own.write([{ event: settled(answered(1)) }]);
    other.write([{ event: settled(answered(2)) }, { event: settled(answered(3)) }]);
    expect(await newRows()).toEqual([2, 3]);
    expect(await newRows()).toEqual([]);

    const line = sealed(settled(answered(4)));
    await appendFile(join(directory, "journal.jsonl"), line.slice(0, 20));
    expect(await newRows()).toEqual([]);
    await appendFile(join(directory, "journal.jsonl"), line.slice(20));
    const third = await Journal.create(directory, IDENTITY);
    third.write([{ event: settled(answered(5)) }]);
    const events = await tail.newEvents();
    const places = events.filter(({ event }) => event.event === "settled");
    const { rows } = await ledgerOf(directory, ROWS);
    expect(places.map(({ offset, length }) => ({ offset, length }))).toEqual([
      rows.locate(4),
      rows.locate(5),
    ]);
    for (const journal of [other, own, third]) await journal.close();
  });
});

describe("Results read out of a journal", () => {
  it("are those that stand, of any length, wherever blocks and files end", async () => {
    const directory = await tempFolder();
    const sizes = [10, 255 * 1024, 256 * 1024, 1024 * 1024, 3, 2_500_000, 1];
    const texts = sizes.map((size) => "ä".repeat(size));
    await writeJournal(
      directory,
      texts.slice(0, 4).map((text, row) => settled(answered(row, text), { key: 1 })),
    );
    await writeJournal(directory, texts.map((text, row) => settled(answered(row, text))).slice(4));
    const { rows } = await ledgerOf(directory, texts.length);
    const reader = new JournalReader(directory, rows);
    for (const [row, text] of texts.entries())
      expect(await reader.read(row)).toEqual({ ...answered(row, text), billing: "billed" });
    expect(await reader.read(99)).toBeNull();
    await reader.close();
  });

  it("are the later ones of rows that were called again, and the last one while that is not done", async () => {
    const directory = await tempFolder();
    const again = (row: number): JournalEvent => ({
      event: "retry",
      at: "2026-01-02T00:00:00Z",
      rowIndexes: [row],
    });
    await writeJournal(directory, [settled(refused(0)), settled(answered(1)), settled(refused(2))]);
    await writeJournal(directory, [again(0), settled(answered(0, "better")), again(2)]);
    await writeJournal(directory, [settled(answered(1, "of the later file"))]);
    const { rows } = await ledgerOf(directory, ROWS);
    expect({ succeeded: rows.succeeded, failed: rows.failed }).toEqual({ succeeded: 2, failed: 0 });
    const reader = new JournalReader(directory, rows);
    const standing = await Promise.all([0, 1, 2].map((row) => reader.read(row)));
    expect(standing).toMatchObject([answered(0, "better"), answered(1, "of the later file"), refused(2)]);
    await reader.close();
  });

  it("are seen while the journal is written", async () => {
    const directory = await tempFolder();
    const journal = await Journal.create(directory, IDENTITY);
    const { rows } = await ledgerOf(directory, ROWS);
    const reader = new JournalReader(directory, rows);
    for (let row = 0; row < ROWS; row++) {
      const [place] = journal.write([{ event: settled(answered(row)) }]);
      rows.settle(row, "succeeded", place?.offset ?? 0, place?.length ?? 0);
      expect(await reader.read(row)).toMatchObject(answered(row));
    }
    await reader.close();
    await journal.close();
  });

  it("are refused when they are damaged", async () => {
    const directory = await tempFolder();
    await mkdir(directory, { recursive: true });
    await writeJournal(directory, [settled(answered(0, "right"))]);
    const { rows } = await ledgerOf(directory, ROWS);
    const path = join(directory, "journal.jsonl");
    await writeFile(path, (await readFile(path, "utf8")).replace("right", "wrong"));
    const reader = new JournalReader(directory, rows);
    await expect(reader.read(0)).rejects.toMatchObject({ code: "journal_corrupt" });
    expect(await reader.readAt(rows.locate(0) ?? { offset: 0, length: 0 })).toBeNull();
    await reader.close();
  });
});
