import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import * as fc from "fast-check";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeInput, readRows } from "../../src/input/index.js";
import type { OutputOptions } from "../../src/job/resolved-job.js";
import type { Result } from "../../src/types.js";
import { statusColumns, writeResultFiles, type ResultCounts } from "../../src/writer/results.js";
import { ledgerOf, settled, writeJournal } from "../support/journal.js";
import { answered, refused } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";

interface Made {
  counts: ResultCounts;
  text: string;
  errors: string;
  folder: string;
}

/** Makes result files of an input and of the results so far, as a run does at its end. */
async function make(
  input: { name: string; text: string; delimiter?: string },
  results: readonly Result[],
  output: Partial<OutputOptions> = {},
): Promise<Made> {
  const folder = await tempFolder();
  const path = join(folder, input.name);
  await writeFile(path, input.text);
  const options = {
    path,
    format: null,
    encoding: "utf-8",
    delimiter: input.delimiter ?? null,
    id: null,
    lenient: false,
  };
  const description = await describeInput(options);
  await writeJournal(
    folder,
    results.map((result) => settled(result)),
  );
  const { rows: index } = await ledgerOf(folder, 1_000);
  const full: OutputOptions = { format: "csv", column: "answer", excel: false, formulaSafe: true, ...output };
  const resultsPath = join(folder, "results");
  const counts = await writeResultFiles({
    directory: folder,
    index,
    batches: readRows(description, options),
    endRow: 1_000,
    columns: description.columns,
    answers: [{ name: full.column, value: (result) => result.output?.text }],
    output: full,
    delimiter: full.delimiter ?? ",",
    resultsPath,
    errorsPath: join(folder, "errors.jsonl"),
  });
  return {
    counts,
    text: await readFile(resultsPath, "utf8"),
    errors: await readFile(join(folder, "errors.jsonl"), "utf8"),
    folder,
  };
}

const three = { name: "input.csv", text: "a,b\n1,x\n2,y\n3,z\n" };

describe("The result files", () => {
  it("hold every row in input order, in whatever order rows were settled", async () => {
    const { text, counts } = await make(three, [answered(2, "two"), refused(1), answered(0, "zero")]);
    expect(text).toBe(
      "a,b,answer,status,error\n1,x,zero,succeeded,\n2,y,,failed,bad: refused\n3,z,two,succeeded,\n",
    );
    expect(counts).toEqual({ failed: 1, truncated: 0, overlong: 0 });
  });

  it("say of a row that is not settled that it is pending", async () => {
    const { text } = await make(three, [answered(1, "one")]);
    expect(parse(text, { columns: true })).toMatchObject([
      { status: "pending", answer: "" },
      { status: "succeeded", answer: "one" },
      { status: "pending", answer: "" },
    ]);
  });

  it("hold failed rows whole, with their input, in errors.jsonl", async () => {
    const { errors } = await make(three, [answered(0), refused(1, { code: "too_long" })]);
    expect(JSON.parse(errors)).toMatchObject({
      rowIndex: 1,
      error: { code: "too_long" },
      input: { a: "2", b: "y" },
    });
  });

  it("count answers that were cut off at their token limit", async () => {
    const cut = {
      ...answered(0),
      output: { text: "so far", reasoning: null, finishReason: "length" },
    } as Result;
    expect((await make(three, [cut, answered(1)])).counts).toEqual({ failed: 0, truncated: 1, overlong: 0 });
  });

  it("give status and error other names when the input has columns of that name", async () => {
    expect(statusColumns(["id"])).toEqual({ status: "status", error: "error" });
    expect(statusColumns(["status", "error"])).toEqual({
      status: "promptmill_status",
      error: "promptmill_error",
    });
    expect(statusColumns(["status", "promptmill_status"]).status).toBe("promptmill_promptmill_status");
    const { text } = await make({ name: "input.csv", text: "status,b\nopen,x\n" }, [answered(0, "ok")]);
    expect(text).toBe("status,b,answer,promptmill_status,error\nopen,x,ok,succeeded,\n");
  });

  it("are as Excel wants them when it is asked for", async () => {
    const { text } = await make(three, [answered(0, 'say "hi",\nthen go')], { excel: true });
    expect(text.startsWith("\uFEFFa,b,answer,status,error\r\n")).toBe(true);
    expect(text).toContain('1,x,"say ""hi"",\nthen go",succeeded,\r\n');
  });

  it("for Excel, quote line breaks of any kind, and count cells that are longer than Excel takes", async () => {
    const answers = [answered(0, "Red\nGreen"), answered(1, "a\rb"), answered(2, "x".repeat(32_768))];
    const { text, counts } = await make(three, answers, { excel: true, delimiter: ";" });
    expect(text.startsWith('\uFEFFa;b;answer;status;error\r\n1;x;"Red\nGreen";succeeded;\r\n')).toBe(true);
    expect(parse(text, { bom: true, delimiter: ";" })).toHaveLength(4);
    expect(counts.overlong).toBe(1);
  });

  it("neutralise formulas in what the model wrote, never in the input's own columns", async () => {
    const input = { name: "input.csv", text: "a,b\n=1+1,-5\n" };
    const model = [answered(0, "=HYPERLINK(1)")];
    expect((await make(input, model)).text).toContain("=1+1,-5,'=HYPERLINK(1),succeeded,");
    expect((await make(input, model, { formulaSafe: false })).text).toContain(
      "=1+1,-5,=HYPERLINK(1),succeeded,",
    );
    expect((await make(input, [answered(0, "-12.5")])).text).toContain("=1+1,-5,-12.5,succeeded,");
    expect((await make(input, [refused(0, { code: "=evil", message: "x" })])).text).toContain(
      "failed,'=evil: x",
    );
  });

  it("keep the values of JSONL as they are, in JSONL and as text in CSV", async () => {
    const rows = [{ n: 1.5, list: [1, { x: null }], no: null, yes: true, text: "ü" }];
    const input = { name: "input.jsonl", text: `${JSON.stringify(rows[0])}\n` };
    const jsonl = await make(input, [answered(0, "=1")], { format: "jsonl" });
    expect(JSON.parse(jsonl.text)).toEqual({ ...rows[0], answer: "=1", status: "succeeded", error: null });
    const failed = await make(input, [refused(0)], { format: "jsonl" });
    expect(JSON.parse(failed.text)).toMatchObject({ answer: null, status: "failed", error: { code: "bad" } });
    const csv = await make(input, [answered(0, "ok")]);
    expect(parse(csv.text, { columns: true })).toEqual([
      {
        n: "1.5",
        list: '[1,{"x":null}]',
        no: "",
        yes: "true",
        text: "ü",
        answer: "ok",
        status: "succeeded",
        error: "",
      },
    ]);
  });

  it("keep numbers of JSONL as they are written there, and the order of keys", async () => {
    const line = '{"b":12345678901234567890,"2":1.0,"1":{"9":-0,"8":[1e400,2.50]}}';
    const input = { name: "input.jsonl", text: `${line}\n` };
    const jsonl = await make(input, [answered(0, "ok")], { format: "jsonl" });
    expect(jsonl.text).toBe(`${line.slice(0, -1)},"answer":"ok","status":"succeeded","error":null}\n`);
    const csv = await make(input, [answered(0, "ok")]);
    expect(csv.text).toBe(
      'b,2,1,answer,status,error\n12345678901234567890,1.0,"{""9"":-0,""8"":[1e400,2.50]}",ok,succeeded,\n',
    );
    expect((await make(input, [refused(0)])).errors).toContain(`"input":${line}}\n`);
  });

  it("keep the order of a CSV's columns that are named like numbers", async () => {
    const input = { name: "input.csv", text: "id,2024,2023\nx,b,a\n" };
    const made = await make(input, [refused(0)], { format: "jsonl" });
    expect(made.text).toMatch(/^\{"id":"x","2024":"b","2023":"a","answer":null,/);
    expect(made.errors).toContain('"input":{"id":"x","2024":"b","2023":"a"}');
  });

  it("hold answers with U+0000 and lone surrogates: JSONL as they are, CSV with U+FFFD for a surrogate", async () => {
    const results = [answered(0, "a\0b"), answered(1, "x\ud800")];
    expect(parse((await make(three, results)).text, { columns: true })).toMatchObject([
      { answer: "a\0b" },
      { answer: "x\uFFFD" },
      {},
    ]);
    const jsonl = (await make(three, results, { format: "jsonl" })).text.split("\n");
    expect(JSON.parse(jsonl[1] ?? "")).toMatchObject({ answer: "x\ud800" });
  });

  it("leave nothing half-made behind when the input breaks off", async () => {
    const folder = await tempFolder();
    await writeJournal(folder, [settled(answered(0))]);
    const { rows: index } = await ledgerOf(folder, 5);
    async function* broken(): AsyncGenerator<never[]> {
      yield [];
      await Promise.reject(new Error("the disk went away"));
    }
    await expect(
      writeResultFiles({
        directory: folder,
        index,
        batches: broken(),
        endRow: 5,
        columns: ["a"],
        answers: [],
        output: { format: "csv", column: "answer", excel: false, formulaSafe: true },
        delimiter: ",",
        resultsPath: join(folder, "results.csv"),
        errorsPath: join(folder, "errors.jsonl"),
      }),
    ).rejects.toThrow("the disk went away");
    expect(await readdir(folder)).toEqual(["journal.jsonl"]);
  });

  const cell = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "",
      " ",
      '"',
      '""',
      "\n",
      "\r\n",
      "\r",
      ",",
      ";",
      "\t",
      "'",
      "=1",
      "汉字",
      "\uFEFF",
      "a\0b",
    ),
  );
  const output = fc.record({
    excel: fc.boolean(),
    delimiter: fc.constantFrom(",", ";", "\t", "|"),
    formulaSafe: fc.constant(false),
  });
  const table = fc.integer({ min: 2, max: 4 }).chain((width) =>
    fc.record({
      names: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z ,"\n]{0,5}[a-z]$/), {
        minLength: width,
        maxLength: width,
      }),
      rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }),
      answers: fc.array(cell, { minLength: 8, maxLength: 8 }),
      delimiter: fc.constantFrom(",", ";", "\t", "|"),
      lineEnd: fc.constantFrom("\n", "\r\n"),
    }),
  );

  it("CSV round trip: any cells in, the same cells out, plus the answers", async () => {
    await fc.assert(
      fc.asyncProperty(table, output, async ({ names, rows: all, answers, delimiter, lineEnd }, output) => {
        // Records without any value are no rows, but for a file of one column.
        const rows = all.filter((cells) => names.length === 1 || cells.some((cell) => /\S/.test(cell)));
        const text = stringify([names, ...rows], { delimiter, record_delimiter: lineEnd, quoted: true });
        const results = rows.map((_, row) => answered(row, answers[row]));
        const made = await make({ name: "input.csv", text, delimiter }, results, output);
        expect(parse(made.text, { bom: true, delimiter: output.delimiter })).toEqual([
          [...names, "answer", "status", "error"],
          ...rows.map((cells, row) => [...cells, answers[row], "succeeded", ""]),
        ]);
      }),
      { numRuns: 60 },
    );
  });
});
