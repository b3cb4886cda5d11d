import { describe, expect, it } from "vitest";
import { customIdOf, describeInput, scanInput } from "../../src/input/index.js";
import { jsonText } from "../../src/json/json-text.js";
import { failure, inputFolder, options, readAll } from "./input-files.js";

const file = inputFolder();

describe("reading JSONL", () => {
  const readable: [string, string, unknown[], number[]][] = [
    ["reads one object per line", '{"a":1}\n{"a":"x","b":[1]}\n', [{ a: 1 }, { a: "x", b: [1] }], [1, 2]],
    ["takes CRLF", '{"a":1}\r\n{"a":2}\r\n', [{ a: 1 }, { a: 2 }], [1, 2]],
    ["drops a byte order mark", '\uFEFF{"a":1}\n', [{ a: 1 }], [1]],
    ["reads a last line without a line break", '{"a":1}\n{"a":2}', [{ a: 1 }, { a: 2 }], [1, 2]],
    ["skips blank lines and counts them", '\n{"a":1}\n \t\r\n\n{"a":2}\n\n', [{ a: 1 }, { a: 2 }], [2, 5]],
    ["keeps an empty object as a row", '{}\n{"a":1}\n', [{}, { a: 1 }], [1, 2]],
    ["keeps U+0000 and lone surrogates", '{"a":"\\u0000\\ud800"}\n', [{ a: "\0\ud800" }], [1]],
    ["keeps U+2028, which ends no line", '{"a":"x\u2028y"}\n', [{ a: "x\u2028y" }], [1]],
  ];
  it.each(readable)("%s", async (title, content, values, lines) => {
    const rows = await readAll(file(`${title.replaceAll(/\W/g, "-")}.jsonl`, content));
    expect(rows.map((row) => ({ ...row.values }))).toEqual(values);
    expect(rows.map((row) => row.line)).toEqual(lines);
  });

  it("keeps __proto__ as a key like any other", async () => {
    const rows = await readAll(file("proto.jsonl", '{"__proto__":{"polluted":1},"a":2}\n'));
    const values = rows[0]?.values ?? {};
    expect(Object.keys(values)).toEqual(["__proto__", "a"]);
    expect(values["polluted"]).toBeUndefined();
    expect(JSON.stringify(values)).toBe('{"__proto__":{"polluted":1},"a":2}');
  });

  it("keeps the text of numbers that JavaScript would round, and the order of keys", async () => {
    const text = '{"n":1234567890123456789,"2":1.0,"1":{"9":-0,"8":1e400}}\n';
    const [row] = await readAll(file("numbers.jsonl", text));
    expect(`${jsonText(row?.values)}\n`).toBe(text);
    expect((await describeInput(options(file("order.jsonl", text)))).columns).toEqual(["n", "2", "1"]);
  });

  it("tells ids apart that would be the same number", async () => {
    const path = file(
      "ids.jsonl",
      '{"id":1234567890123456789}\n{"id":1234567890123456790}\n{"id":1.0}\n{"id":1}\n',
    );
    await scanInput(options(path, { id: "id" }));
    const ids = (await readAll(path)).map((row) => customIdOf(row, "id"));
    expect(ids).toEqual(["1234567890123456789", "1234567890123456790", "1.0", "1"]);
  });

  it("marks a row with a key that stands twice, when reading leniently", async () => {
    const [row] = await readAll(file("twice.jsonl", '{"a":1,"a":2}\n'), { lenient: true });
    expect(row?.problem).toMatchObject({ kind: "input", code: "duplicate_key" });
  });

  it("lists the keys of all lines in order of first appearance", async () => {
    const late = `${'{"b":1,"a":1}\n'.repeat(150)}{"c":1,"a":2}\n`;
    const path = file("union.jsonl", late);
    expect((await scanInput(options(path))).columns).toEqual(["b", "a", "c"]);
    expect((await describeInput(options(path))).columns).toEqual(["b", "a"]);
  });

  it("refuses rows that have more than 10,000 different keys together", async () => {
    const lines = Array.from({ length: 10_001 }, (_, index) => `{"k${String(index)}":1}\n`);
    const error = await failure(scanInput(options(file("keys.jsonl", lines.join("")))));
    expect(error.code).toBe("too_many_columns");
    expect(error.message).toMatch(/line 10001/);
  });

  it("reads a line that spans many chunks", async () => {
    const text = "é".repeat(500_000);
    const rows = await readAll(file("wide.jsonl", `{"a":1}\n${JSON.stringify({ a: text })}\n{"a":3}\n`));
    expect(rows.map((row) => row.values["a"])).toEqual([1, text, 3]);
  });
});

describe("refusing JSONL", () => {
  const refused: [string, string, string, RegExp][] = [
    [
      "a key that stands twice",
      '{"a":1}\n{"b":{"a":1,"a":2}}\n',
      "duplicate_key",
      /line 2: the key "a" stands twice/,
    ],
    [
      "a missing brace",
      '{"a":1}\n\n{"a":1',
      "invalid_json",
      /line 3, column 7: .*closing bracket.*line ends/,
    ],
    ["a trailing comma", '{"a":1,}\n', "invalid_json", /line 1, column 8: .*a key.*found "}"/],
    ["a column counted in characters", '{"😀":x}\n', "invalid_json", /column 6: .*a value.*found "x"/],
    ["an array", '{"a":1}\n[1]\n', "not_an_object", /line 2: .*received an array/],
    ["a number", '{"a":1}\n7\n', "not_an_object", /line 2: .*received a number/],
    ["null", '{"a":1}\nnull\n', "not_an_object", /line 2: .*received null/],
    ["CSV named .jsonl", "id,text\n1,x\n", "invalid_json", /line 1, column 1/],
    ["a JSON array", '[\n{"a":1}\n]\n', "input_wrong_format", /looks like one JSON array/],
    ["pretty-printed JSON", '{\n  "a": 1\n}\n', "input_wrong_format", /pretty-printed/],
    ["an empty file", "", "input_empty", /is empty/],
    ["only blank lines", "\n\n", "input_empty", /is empty/],
  ];
  it.each(refused)("refuses %s", async (title, content, code, message) => {
    const path = file(`${title.replaceAll(/\W/g, "-")}.jsonl`, content);
    const error = await failure(scanInput(options(path)));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(2);
    expect(error.hint).toBeTruthy();
  });

  it("marks bad lines and goes on when lenient", async () => {
    const path = file("lenient.jsonl", '{"a":1}\n{oops\n[1]\n{"a":4}\n');
    const rows = await readAll(path, { lenient: true });
    expect(rows.map((row) => row.problem?.code)).toEqual([
      undefined,
      "invalid_json",
      "not_an_object",
      undefined,
    ]);
    expect(rows.map((row) => row.rowIndex)).toEqual([0, 1, 2, 3]);
    expect((await scanInput(options(path, { lenient: true }))).problems).toBe(2);
  });
});
