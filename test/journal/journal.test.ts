import { spawn } from "node:child_process";
import fs from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fileOfOffset } from "../../src/journal/journal-files.js";
import { Journal } from "../../src/journal/journal.js";
import { afterTest } from "../support/after-test.js";
import { IDENTITY, ledgerOf, settled } from "../support/journal.js";
import { answered } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";

describe("The journal", () => {
  it("has written when write returns, and says where each line is", async () => {
    const directory = await tempFolder();
    const journal = await Journal.create(directory, IDENTITY);
    const events = Array.from({ length: 100 }, (_, row) => settled(answered(row, `Ä${"x".repeat(row)}\n😀`)));
    const places = [...journal.write(events.slice(0, 60).map((event) => ({ event })))];
    places.push(...journal.write(events.slice(60).map((event) => ({ event }))));
    const bytes = fs.readFileSync(join(directory, "journal.jsonl"));
    for (const [row, { offset, length }] of places.entries()) {
      expect(JSON.parse(bytes.subarray(offset, offset + length).toString())).toMatchObject(events[row] ?? {});
      expect(bytes[offset + length]).toBe(10);
    }
    await journal.close();
  });

  it("keeps the text of a line that came from elsewhere", async () => {
    const directory = await tempFolder();
    const journal = await Journal.create(directory, IDENTITY);
    const text = '{"worker":"w","seq":1, "event":"void","keys":[1]}';
    journal.write([{ event: { event: "void", worker: "w", seq: 1, keys: [1] }, text }]);
    await journal.close();
    expect(await readFile(join(directory, "journal.jsonl"), "utf8")).toContain(
      `${text.slice(0, -1)},"crc":"`,
    );
  });

  it("has a file for each coordinator, each with its own first line", async () => {
    const directory = await tempFolder();
    await writeFile(join(directory, "journal-2.jsonl.partial"), "");
    const names = [];
    for (let file = 0; file < 11; file++) {
      const journal = await Journal.create(directory, IDENTITY);
      const [place] = journal.write([{ event: settled(answered(file)) }]);
      expect(fileOfOffset(place?.offset ?? -1).file).toBe(file);
      await journal.close();
      names.push(file === 0 ? "journal.jsonl" : `journal-${file + 1}.jsonl`);
    }
    expect((await readdir(directory)).sort()).toEqual([...names, "journal-2.jsonl.partial"].sort());
    for (const name of names) {
      const [first = ""] = (await readFile(join(directory, name), "utf8")).split("\n");
      expect(JSON.parse(first)).toMatchObject({ event: "run", version: 2, identity: IDENTITY });
    }
    expect((await ledgerOf(directory, 11)).rows.settled).toBe(11);
  });

  it("gives two coordinators at the same moment a file each", async () => {
    const directory = await tempFolder();
    const both = await Promise.all([1, 2].map(() => Journal.create(directory, IDENTITY)));
    expect(both.map(({ number }) => number)).toEqual([0, 1]);
    for (const journal of both) await journal.close();
  });
});

/** Sees what the real fdatasync is asked and when it has done it. */
async function watchedJournal(): Promise<{ journal: Journal; syncs: { done: boolean; size: number }[] }> {
  const directory = await tempFolder();
  const syncs: { done: boolean; size: number }[] = [];
  const real = fs.fdatasync;
  fs.fdatasync = ((file: number, callback: fs.NoParamCallback) => {
    const sync = { done: false, size: fs.fstatSync(file).size };
    syncs.push(sync);
    real(file, (error) => {
      sync.done = true;
      callback(error);
    });
  }) as typeof fs.fdatasync;
  syncBuiltinESMExports();
  afterTest(() => {
    fs.fdatasync = real;
    syncBuiltinESMExports();
  });
  const journal = await Journal.create(directory, IDENTITY);
  afterTest(() => journal.close());
  return { journal, syncs };
}

const line = () => [{ event: settled(answered(0)) }];

describe("A flush", () => {
  it("resolves when fdatasync has written all that stood in the file before the call", async () => {
    const { journal, syncs } = await watchedJournal();
    for (let round = 1; round <= 3; round++) {
      const [place] = journal.write(line());
      await journal.flush();
      expect(syncs).toHaveLength(round);
      expect(syncs.at(-1)?.done).toBe(true);
      expect(syncs.at(-1)?.size).toBeGreaterThan((place?.offset ?? 0) + (place?.length ?? 0));
    }
  });

  it("is shared by all who ask while another one is under way", async () => {
    const { journal, syncs } = await watchedJournal();
    const first = journal.flush();
    const later = Array.from({ length: 50 }, async () => {
      journal.write(line());
      await journal.flush();
    });
    const ends: string[] = [];
    await Promise.all([
      first.then(() => ends.push("first")),
      ...later.map((flush) => flush.then(() => ends.push("later"))),
    ]);
    expect(syncs).toHaveLength(2);
    expect(ends[0]).toBe("first");
  });

  it("does nothing when nothing was written since the last one", async () => {
    const { journal, syncs } = await watchedJournal();
    await journal.flush();
    await journal.flush();
    expect(syncs).toHaveLength(1);
  });
});

describe("A journal on a disk without room", () => {
  it("cuts a half line off, halts, and takes nothing more", async () => {
    const directory = await tempFolder();
    const script = fileURLToPath(new URL("fill-journal.ts", import.meta.url));
    const tsx = fileURLToPath(import.meta.resolve("tsx/cli"));
    // No file may grow beyond 40 KiB: what a quota does, without a right of its own to set one.
    const child = spawn("bash", [
      "-c",
      'ulimit -f 40; exec "$0" "$@"',
      process.execPath,
      tsx,
      script,
      directory,
    ]);
    let said = "";
    child.stdout.on("data", (data) => (said += String(data)));
    child.stderr.on("data", (data) => (said += String(data)));
    await new Promise((resolve) => child.on("close", resolve));
    const { written, errors } = JSON.parse(said) as { written: number; errors: object[] };
    const error = { name: "HaltError", code: "disk_full", exitCode: 4 };
    expect(errors).toEqual([error, error, error]);
    expect(written).toBeGreaterThan(5);
    const text = await readFile(join(directory, "journal.jsonl"), "utf8");
    expect(text.endsWith("}\n")).toBe(true);
    expect((await ledgerOf(directory, 1_000)).rows.settled).toBe(written);
  });
});
