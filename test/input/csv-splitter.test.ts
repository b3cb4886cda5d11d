import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PromptmillError } from "../../src/errors.js";
import type { CsvHead } from "../../src/input/csv-head.js";
import { readCsvRows } from "../../src/input/csv-rows.js";
import { splitterFor } from "../../src/input/csv-splitter.js";
import { toUtf8 } from "../../src/input/decode.js";
import type { InputRow } from "../../src/input/index.js";
import { asyncOf, cut } from "./input-files.js";

const LINE_FEED = 10;

function headOf(delimiter = ",", columns: readonly string[] = ["a", "b"], lineBreak = LINE_FEED): CsvHead {
  return { delimiter, columns, width: columns.length, lineBreak, bodyLine: 2, rest: Buffer.alloc(0) };
}

interface Split {
  /** Line and cells of each record. */
  readonly records: [number, string[]][];
  /** What was given back for the parser, and its line. */
  readonly rest: string | null;
  readonly line: number;
}

function split(text: string, chunkSizes: number[] = [1_000_000], maxRecord?: number): Split {
  const records: [number, string[]][] = [];
  const splitter = splitterFor(headOf(), 2, (cells, line) => records.push([line, cells]), maxRecord);
  if (splitter === null) throw new Error("expected a splitter");
  let rest: Buffer | null = null;
  for (const chunk of cut(Buffer.from(text), chunkSizes)) {
    rest = rest === null ? splitter.write(chunk) : Buffer.concat([rest, chunk]);
  }
  rest ??= splitter.end();
  return { records, rest: rest?.toString() ?? null, line: splitter.line };
}

describe("splitting plain CSV", () => {
  it.each<[string, string, Split["records"]]>([
    [
      "cells without quotes",
      "1,2\nx y, z \n",
      [
        [2, ["1", "2"]],
        [3, ["x y", " z "]],
      ],
    ],
    [
      "empty cells",
      ",\n,,\n",
      [
        [2, ["", ""]],
        [3, ["", "", ""]],
      ],
    ],
    [
      "quoted cells",
      '"1","2"\n"",x\n',
      [
        [2, ["1", "2"]],
        [3, ["", "x"]],
      ],
    ],
    [
      "quoted delimiters",
      '"1,2",3\n4,"5,"\n',
      [
        [2, ["1,2", "3"]],
        [3, ["4", "5,"]],
      ],
    ],
    [
      "doubled quotes",
      '"say ""hi""",""""\n"""""",x\n',
      [
        [2, ['say "hi"', '"']],
        [3, ['""', "x"]],
      ],
    ],
    [
      "quoted line breaks, which count as lines",
      '"1\n2","\r\n\n"\n3,4\n',
      [
        [2, ["1\n2", "\r\n\n"]],
        [6, ["3", "4"]],
      ],
    ],
    [
      "CRLF, also after a closing quote",
      '1,2\r\n"3","4"\r\n',
      [
        [2, ["1", "2"]],
        [3, ["3", "4"]],
      ],
    ],
    [
      "a mix of LF and CRLF",
      '1,2\r\n3,4\n5,"6"\r\n',
      [
        [2, ["1", "2"]],
        [3, ["3", "4"]],
        [4, ["5", "6"]],
      ],
    ],
    [
      "an empty cell before CRLF",
      "1,\r\n,\r\n",
      [
        [2, ["1", ""]],
        [3, ["", ""]],
      ],
    ],
    [
      "a carriage return elsewhere as text",
      'a\rb,\rc\r\r\n"\r",d\n',
      [
        [2, ["a\rb", "\rc\r"]],
        [3, ["\r", "d"]],
      ],
    ],
    [
      "no blank lines, which count as lines",
      '\n\r\n1,2\n\n\r\n""\n\n',
      [
        [4, ["1", "2"]],
        [7, [""]],
      ],
    ],
    [
      "cells of any characters",
      "é,中文\n😀,\u0000\n",
      [
        [2, ["é", "中文"]],
        [3, ["😀", "\u0000"]],
      ],
    ],
    ["nothing", "", []],
  ])("takes %s, however the bytes are cut", (_, text, records) => {
    expect(split(text)).toMatchObject({ records, rest: null });
    // A multi-byte character is never cut: chunks end on whole ones.
    if (/^[\0-\x7f]*$/u.test(text)) expect(split(text, [1])).toMatchObject({ records, rest: null });
  });

  it.each([
    ["a quote in a cell that does not start with one", '1,2\n3,4" disk\n5,6\n', '3,4" disk\n5,6\n', 3],
    ["a quote in a cell that is not at its end yet", '1,2\n3,4" di', '3,4" di', 3],
    ["text after a closing quote", '1,2\n\n"3"x,4\n', '"3"x,4\n', 4],
    ["a space after a closing quote", '1,2\n"3" ,4\n', '"3" ,4\n', 3],
    ["a lone carriage return after a closing quote", '"1","2"\rx\n', '"1","2"\rx\n', 2],
    ["two carriage returns after a closing quote", '"1","2"\r\r\n', '"1","2"\r\r\n', 2],
    ["a carriage return that starts a line", "1,2\n\rx,3\n", "\rx,3\n", 3],
    ["a line of two carriage returns", "1,2\n\r\r\n", "\r\r\n", 3],
    ["a last record without a line break", '1,2\n"3\n4",5', '"3\n4",5', 3],
    ["a last record that ends in a closing quote", '1,2\n3,"4"', '3,"4"', 3],
    ["a last record that ends in a carriage return", '1,2\n3,"4"\r', '3,"4"\r', 3],
    ["a carriage return at the end", "1,2\n\r", "\r", 3],
    ["a quote that is never closed", '1,2\n3,"4\n5,6\n', '3,"4\n5,6\n', 3],
  ])("gives back %s and all that follows, from the start of the record", (_, text, rest, line) => {
    expect(split(text)).toMatchObject({ rest, line });
    expect(split(text, [1])).toMatchObject({ rest, line });
    expect(split(text).records.length).toBe(text.startsWith("1,2\n") ? 1 : 0);
  });

  it.each([
    ["that is at hand", `1,2\n${"x".repeat(30)},4\n5,6\n`, 1000],
    ["that has not ended", `1,2\n${"x".repeat(30)}`, 7],
    ["with a quote that is not closed", `1,2\n"${"x\n".repeat(15)}`, 7],
  ])("gives back a record %s and is longer than the limit", (_, text, chunkSize) => {
    const { records, rest } = split(text, [chunkSize], 20);
    expect(records).toEqual([[2, ["1", "2"]]]);
    expect(rest).toBe(text.slice(4));
  });

  it("gives back a record of more than 1 MB, and none below", () => {
    const cell = "x".repeat(1024 * 1024 - 4);
    expect(split(`1,${cell}\n`)).toMatchObject({ rest: null });
    expect(split(`1,${cell}xx\n`).records).toEqual([]);
    expect(split(`1,"${cell}\n"\n`, [4096]).records).toEqual([]);
  });

  it("takes every character there is", () => {
    const codes = Array.from({ length: 0x11_0000 }, (_, code) => code);
    const characters = codes.filter((code) => code !== 10 && code !== 34 && (code < 0xd800 || code > 0xdfff));
    const cells: string[] = [];
    for (let at = 0; at < characters.length; at += 1000) {
      cells.push(String.fromCodePoint(...characters.slice(at, at + 1000)));
    }
    const { records, rest } = split(cells.map((cell) => `"${cell}"\n`).join(""), [10_000_000]);
    expect(rest).toBeNull();
    expect(records.map(([, [cell]]) => cell)).toEqual(cells);
  });

  it("carries a record over a great many chunks", () => {
    const cell = 'one, "two"\n'.repeat(60_000);
    const text = `1,"${cell.replaceAll('"', '""')}"\n`;
    const { records, rest } = split(`${text}3,4\n`, [64]);
    expect(rest).toBeNull();
    expect(records.map(([line, cells]) => [line, cells[1] === cell])).toEqual([
      [2, true],
      [60_002 + 1, false],
    ]);
  });

  it.each([
    ["a quote", '"', LINE_FEED],
    ["two units", "😀", LINE_FEED],
    ["half a character", "\uD83D", LINE_FEED],
    ["a carriage return", "\r", LINE_FEED],
    ["a line feed", "\n", LINE_FEED],
    ["a comma in a file whose lines end with a carriage return", ",", 13],
  ])("leaves all to the parser when the delimiter is %s", (_, delimiter, lineBreak) => {
    expect(splitterFor(headOf(delimiter, ["a"], lineBreak), 2, () => undefined)).toBeNull();
  });
});

interface Case {
  readonly text: string;
  readonly sizes: number[];
  readonly delimiter: string;
  readonly columns: number;
  readonly lenient: boolean;
  readonly afterRow: number;
}

/** All rows, or the error. Rows before an error are left out: how many come depends on the chunks. */
async function outcome(asked: Case, newSplitter: typeof splitterFor): Promise<unknown> {
  const columns = Array.from({ length: asked.columns }, (_, index) => `column ${String(index)}`);
  const chunks = toUtf8(cut(Buffer.from(asked.text), asked.sizes), "utf-8", "x.csv");
  const reading = { path: "x.csv", lenient: asked.lenient, afterRow: asked.afterRow };
  const rows: InputRow[] = [];
  try {
    for await (const batch of readCsvRows(chunks, headOf(asked.delimiter, columns), reading, newSplitter)) {
      expect(batch.length).toBeLessThanOrEqual(500);
      rows.push(...batch);
    }
  } catch (error) {
    if (!(error instanceof PromptmillError)) throw error;
    return { code: error.code, message: error.message, hint: error.hint };
  }
  return rows.map((row) => ({ ...row, values: Object.entries(row.values) }));
}

const delimiters = fc.constantFrom(",", ";", "\t", "|", " ", "\0", "a", "é", "中", "\uFFFD", "😀", "\uD83D");
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
const special = ['"', '"', '""', "\n", "\r\n", "\r", " ", "x", "\0", "é", "中", "😀", "\uFFFD"];

/** Records as a careful program writes them, with the blank lines and carriage returns that are allowed. */
function wellFormed(delimiter: string): fc.Arbitrary<string> {
  const quoted = fc
    .string({ unit: fc.constantFrom(delimiter, ...special), maxLength: 8 })
    .map((text) => `"${text.replaceAll('"', '""')}"`);
  const bare = fc
    .string({ unit: fc.constantFrom("x", " ", "é", "中", "😀"), maxLength: 8 })
    .map((text) => text.replaceAll(delimiter, ""));
  const record = fc
    .tuple(
      fc.array(fc.oneof(quoted, bare), { minLength: 2, maxLength: 2 }),
      fc.constantFrom("\n", "\r\n", "\n\n", "\r\n\n\r\n"),
    )
    .map(([cells, recordBreak]) => cells.join(delimiter) + recordBreak);
  return fc.array(record, { maxLength: 12 }).map((records) => records.join(""));
}

const cases = delimiters.chain((delimiter) => {
  const noise = fc.string({ unit: fc.constantFrom(delimiter, delimiter, ...special), maxLength: 30 });
  return fc.record<Case>({
    text: fc.oneof(
      noise,
      fc.tuple(wellFormed(delimiter), noise, wellFormed(delimiter)).map((all) => all.join("")),
    ),
    sizes,
    delimiter: fc.constant(delimiter),
    columns: fc.integer({ min: 1, max: 3 }),
    lenient: fc.boolean(),
    afterRow: fc.integer({ min: -1, max: 8 }),
  });
});

describe("rows with the splitter and from the parser alone", () => {
  it.each([1024 * 1024, 12, 3])(
    "are the same, or fail the same, when records over %i units are for the parser",
    async (maxRecord) => {
      await fc.assert(
        fc.asyncProperty(cases, async (asked) => {
          const withSplitter = await outcome(asked, (head, line, onRecord) =>
            splitterFor(head, line, onRecord, maxRecord),
          );
          expect(withSplitter).toEqual(await outcome(asked, () => null));
        }),
        { numRuns: 3000 },
      );
    },
  );

  it("need no parser when every record is well-formed", () => {
    fc.assert(
      fc.property(wellFormed(","), sizes, (text, chunkSizes) => {
        const records: string[][] = [];
        const splitter = splitterFor(headOf(), 2, (cells) => records.push(cells));
        for (const chunk of toWhole(text, chunkSizes)) expect(splitter?.write(chunk)).toBeNull();
        expect(splitter?.end()).toBeNull();
        expect(records.every((cells) => cells.length === 2)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Chunks that end on whole characters. */
function* toWhole(text: string, chunkSizes: readonly number[]): Generator<Buffer> {
  const characters = Array.from(text);
  for (let at = 0, turn = 0; at < characters.length; turn++) {
    const size = chunkSizes[turn % chunkSizes.length] ?? 1;
    yield Buffer.from(characters.slice(at, at + size).join(""));
    at += size;
  }
}

it.each([
  ["plain", "x"],
  ["with doubled quotes", 'x""'],
])("a cell that is kept does not keep the text around it: %s", async (_, filling) => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const rowCount = 400;
  const chunks = function* (): Generator<Buffer> {
    for (let row = 0; row < rowCount; row++) {
      const id = `"${filling} an id that is longer than a pointer ${String(row)}"`;
      yield Buffer.from(`${id},"${filling.repeat(100_000 / filling.length)}"\n`);
    }
  };
  const kept: unknown[] = [];
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const reading = { path: "x.csv", lenient: false, afterRow: -1 };
  for await (const batch of readCsvRows(asyncOf(chunks()), headOf(), reading)) {
    for (const row of batch) kept.push(row.values["a"]);
  }
  collectGarbage();
  expect(kept.length).toBe(rowCount);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(8_000_000);
});
