import { appendFile, rename, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { HaltError } from "../../src/errors.js";
import { readRows, scanInput, type ReadableInput } from "../../src/input/index.js";
import { failure, inputFolder, options } from "./input-files.js";

const file = inputFolder();
/** More than is read at once. */
const csv = `id,text\n${Array.from({ length: 5_000 }, (_, row) => `${row},text of row ${row}\n`).join("")}`;
const jsonl = Array.from({ length: 5_000 }, (_, row) => `{"id":${row},"text":"a text"}\n`).join("");

async function rowsOf(description: ReadableInput, afterRow = -1): Promise<number> {
  let rows = 0;
  for await (const batch of readRows(description, options(description.path), { afterRow }))
    rows += batch.length;
  return rows;
}

describe("a pass over an input that was scanned", () => {
  it.each([
    ["rows.csv", csv],
    ["rows.jsonl", jsonl],
    ["rows.csv.gz", gzipSync(csv)],
    ["padded.csv.gz", Buffer.concat([gzipSync(csv), Buffer.alloc(70_000)])],
  ])("ends well over the same file: %s", async (name, content) => {
    const summary = await scanInput(options(file(name, content)));
    expect(await rowsOf(summary)).toBe(5_000);
    expect(await rowsOf(summary, 4_000)).toBe(999);
  });

  it.each([
    ["rows.csv", csv, csv.replace("of row 4321\n", "of row 1234\n")],
    ["rows.jsonl", jsonl, jsonl.replace('{"id":4999,"text":"a', '{"id":4999,"text":"A')],
    [
      "padded.csv.gz",
      Buffer.concat([gzipSync("a\n1\n"), Buffer.alloc(9)]),
      Buffer.concat([gzipSync("a\n1\n"), Buffer.alloc(8), Buffer.of(1)]),
    ],
  ])("is refused when the file has other contents of the same size: %s", async (name, before, after) => {
    expect(after).toHaveLength(before.length);
    const path = file(name, before);
    const summary = await scanInput(options(path));
    await writeFile(path, after);
    for (const afterRow of [-1, 10]) {
      const error = await failure(rowsOf(summary, afterRow));
      expect(error).toBeInstanceOf(HaltError);
      expect(error.code).toBe("input_changed");
      expect(error.message).toContain("with other contents");
    }
  });

  it("is refused before its first row when the file has another size", async () => {
    const path = file("longer.csv", csv);
    const summary = await scanInput(options(path));
    await appendFile(path, "5000,one more\n");
    const error = await failure(readRows(summary, options(path)).next());
    expect(error.code).toBe("input_changed");
    expect(error.message).toMatch(/\d+ bytes then, \d+ bytes now/);
  });

  it("is refused for the change, not for what cannot be read in the new file", async () => {
    const path = file("broken.csv", csv);
    const summary = await scanInput(options(path));
    await writeFile(path, csv.replace("4000,text of row", "4000,text,of row"));
    expect((await failure(rowsOf(summary))).code).toBe("input_changed");
  });

  it("goes on with the old file when another takes its name meanwhile", async () => {
    const path = file("replaced.csv", csv);
    const summary = await scanInput(options(path));
    const rows = readRows(summary, options(path));
    await rows.next();
    await rename(file("other.csv", csv.replaceAll("text", "TEXT")), path);
    const values = [];
    for await (const batch of rows) for (const row of batch) values.push(row.values["text"]);
    expect(values).not.toContainEqual(expect.stringContaining("TEXT"));
    expect((await failure(rowsOf(summary))).code).toBe("input_changed");
  });
});
