import { stringify } from "csv-stringify/sync";
import * as fc from "fast-check";
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";
import { readCsvHead } from "../../src/input/csv-head.js";
import { readCsvRows } from "../../src/input/csv-rows.js";
import { toUtf8 } from "../../src/input/decode.js";
import type { InputRow } from "../../src/input/index.js";
import { describeInput, readRows, scanInput } from "../../src/input/index.js";
import { readJsonlRows } from "../../src/input/jsonl-rows.js";
import { UsageError } from "../../src/errors.js";
import { asyncOf, cut, inputFolder, options, readAll } from "./input-files.js";

const file = inputFolder();

async function csvRows(
  bytes: Buffer,
  sizes: number[],
  encoding: string,
  delimiter: string,
  afterRow = -1,
): Promise<InputRow[]> {
  const chunks = toUtf8(cut(bytes, sizes), encoding, "x.csv");
  const head = await readCsvHead(chunks, { path: "x.csv", delimiter });
  const rest = async function* (): AsyncGenerator<Buffer> {
    if (head.rest.length > 0) yield head.rest;
    yield* chunks;
  };
  const rows: InputRow[] = [];
  for await (const batch of readCsvRows(rest(), head, { path: "x.csv", lenient: false, afterRow }))
    rows.push(...batch);
  return rows;
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
const cell = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.string({
    unit: fc.constantFrom('"', ",", ";", "\t", "\n", "\r", "\r\n", " ", "a", "=", "\0", "中", "😀"),
    maxLength: 8,
  }),
);
const table = fc
  .integer({ min: 1, max: 4 })
  .chain((width) =>
    fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 }),
  );

/** The line on which each record starts, by its text: an independent count for the ones that are read. */
function startLines(header: string, records: readonly string[], recordBreak: string): number[] {
  let line = header.split("\n").length + 1;
  return records.map((record) => {
    const start = line;
    line += record.split("\n").length - (recordBreak.includes("\n") ? 1 : 0);
    return start;
  });
}

it.each(["utf-8", "utf-16le", "utf-16be", "gb18030", "gbk", "big5", "shift_jis"])(
  "gives back from %s the cells that were written, whatever they hold and however the bytes are cut",
  async (encoding) => {
    await fc.assert(
      fc.asyncProperty(
        table,
        sizes,
        fc.constantFrom("\n", "\r\n"),
        fc.constantFrom(",", ";", "\t", "|"),
        fc.nat({ max: 13 }),
        async (raw, chunkSizes, recordBreak, delimiter, skip) => {
          const survives = (text: string): boolean =>
            iconv.decode(iconv.encode(text, encoding), encoding, { stripBOM: false }) === text;
          const cells = raw.map((row) => row.map((text) => Array.from(text).filter(survives).join("")));
          const settings = { delimiter, quoted: true, quoted_empty: true, record_delimiter: recordBreak };
          const header = (cells[0] ?? []).map((_, index) => `column ${String(index)}`);
          const text = stringify([header, ...cells], settings);
          const bytes = iconv.encode(text, encoding, { addBOM: encoding === "utf-8" });
          const rows = await csvRows(bytes, chunkSizes, encoding, delimiter);
          expect(rows.map((row) => Object.values(row.values))).toEqual(cells);
          const records = cells.map((row) => stringify([row], settings));
          expect(rows.map((row) => row.line)).toEqual(startLines(header.join(), records, recordBreak));
          expect(await csvRows(bytes, chunkSizes, encoding, delimiter, skip - 1)).toEqual(rows.slice(skip));
        },
      ),
    );
  },
);

it("gives back cells that are quoted only where they must be", async () => {
  await fc.assert(
    fc.asyncProperty(table, sizes, fc.nat({ max: 13 }), async (raw, chunkSizes, skip) => {
      const cells = raw.map((row) => row.map((text) => text.replaceAll("\r", "")));
      const header = (cells[0] ?? []).map((_, index) => `column ${String(index)}`);
      const bytes = Buffer.from(stringify([header, ...cells], { quoted_empty: true }));
      const rows = await csvRows(bytes, chunkSizes, "utf-8", ",");
      expect(rows.map((row) => Object.values(row.values))).toEqual(cells);
      expect(await csvRows(bytes, chunkSizes, "utf-8", ",", skip - 1)).toEqual(rows.slice(skip));
    }),
    { numRuns: 500 },
  );
});

it("gives back JSONL objects, however the bytes are cut and lines are spaced", async () => {
  const separator = fc.constantFrom("\n", "\r\n", "\n\n", "\n \r\n");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.dictionary(fc.string(), fc.jsonValue()), separator)),
      sizes,
      fc.nat({ max: 6 }),
      async (objects, chunkSizes, skip) => {
        const text = objects.map(([object, space]) => JSON.stringify(object) + space).join("");
        const read = async (afterRow: number): Promise<InputRow[]> => {
          const rows: InputRow[] = [];
          const chunks = asyncOf(cut(Buffer.from(text), chunkSizes));
          for await (const batch of readJsonlRows(chunks, { path: "x", lenient: false, afterRow }))
            rows.push(...batch);
          return rows;
        };
        const rows = await read(-1);
        expect(rows.map((row) => JSON.stringify(row.values))).toEqual(
          objects.map(([object]) => JSON.stringify(object)),
        );
        expect(await read(skip - 1)).toEqual(rows.slice(skip));
      },
    ),
  );
});

describe("reading in batches", () => {
  const lines = Array.from(
    { length: 30_000 },
    (_, index) => `row-${String(index)},"text ""${String(index)}""\nmore"`,
  );
  const jsonl = lines.map((text) => JSON.stringify({ id: text })).join("\n");

  it.each([
    ["big.csv", `id,text\n${lines.join("\n")}`, false],
    ["big.csv", `id,text\n${lines.join("\n")}`, true],
    ["big.jsonl", jsonl, false],
  ])(
    "yields %s in order, in batches of at most 500, and skips what is asked",
    async (name, content, lenient) => {
      const asked = options(file(name, content), { lenient });
      const description = await describeInput(asked);
      for (const afterRow of [-1, 0, 499, 12_345, 29_998, 29_999, 40_000]) {
        const indexes: number[] = [];
        for await (const batch of readRows(description, asked, { afterRow })) {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length).toBeLessThanOrEqual(500);
          for (const row of batch) indexes.push(row.rowIndex);
          if (name === "big.csv") expect(batch[0]?.line).toBe(2 + 2 * (batch[0]?.rowIndex ?? 0));
        }
        expect(indexes.length).toBe(Math.max(0, 30_000 - afterRow - 1));
        expect(indexes.every((index, at) => index === afterRow + 1 + at)).toBe(true);
      }
    },
  );

  it("stops with the signal's reason", async () => {
    const asked = options(file("abort.csv", `id,text\n${lines.join("\n")}`));
    const controller = new AbortController();
    const reason = new Error("enough");
    const reading = async (): Promise<void> => {
      for await (const batch of readRows(await describeInput(asked), asked, { signal: controller.signal })) {
        if (batch[0]?.rowIndex === 0) controller.abort(reason);
      }
    };
    await expect(reading()).rejects.toBe(reason);
    await expect(scanInput(asked, { signal: controller.signal })).rejects.toBe(reason);
  });

  it("shows every row to the scan's hook, which may refuse the input", async () => {
    const asked = options(file("hook.csv", "a\n1\n2\n3\n"));
    const seen: unknown[] = [];
    await scanInput(asked, { onRow: (row) => void seen.push(row.values["a"]) });
    expect(seen).toEqual(["1", "2", "3"]);
    const refusal = new UsageError("no twos", { code: "no_twos" });
    const scan = scanInput(asked, {
      onRow: (row) => {
        if (row.values["a"] === "2") throw refusal;
      },
    });
    await expect(scan).rejects.toBe(refusal);
  });

  it("numbers rows that were marked among the others", async () => {
    const rows = await readAll(file("marked.csv", "a,b\n1\n1,2\n"), { lenient: true });
    expect(rows.map((row) => [row.rowIndex, row.line, row.problem !== undefined])).toEqual([
      [0, 2, true],
      [1, 3, false],
    ]);
  });
});
