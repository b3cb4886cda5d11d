import { describe, expect, it } from "vitest";
import { customIdOf, describeInput, hasUnsafeText, scanInput } from "../../src/input/index.js";
import { IdCheck } from "../../src/input/id-check.js";
import { IdIndex } from "../../src/input/id-index.js";
import { failure, inputFolder, options, readAll } from "./input-files.js";

const file = inputFolder();

describe("ids", () => {
  const refused: [string, string, string, string, RegExp][] = [
    ["a duplicate", "d.csv", "id,a\nx,1\ny,2\nx,3\n", "id_duplicate", /line 4: the id "x".*line 2/],
    [
      "a duplicate after a quoted break",
      "q.csv",
      'id,a\n"x","1\n2"\ny,2\nx,3\n',
      "id_duplicate",
      /line 5.*line 2/,
    ],
    ["an empty id", "e.csv", "id,a\nx,1\n,2\n", "id_empty", /line 3: the id column "id" is empty/],
    ["a blank id", "b.csv", "id,a\nx,1\n  ,2\n", "id_empty", /line 3: .*received "  "/],
    ["a missing id", "m.jsonl", '{"id":"x"}\n\n{"a":1}\n', "id_empty", /line 3/],
    ["a null id", "n.jsonl", '{"id":"x"}\n{"id":null}\n', "id_empty", /line 2: .*received null/],
    [
      "an id that is an object",
      "o.jsonl",
      '{"id":{"a":1}}\n',
      "id_not_text",
      /text or a number; received \{/,
    ],
    [
      "a number that equals a text",
      "t.jsonl",
      '{"id":7}\n{"id":"7"}\n',
      "id_duplicate",
      /line 2: the id "7".*line 1/,
    ],
  ];
  it.each(refused)("refuses %s, naming the lines", async (_, name, content, code, message) => {
    const error = await failure(scanInput(options(file(name, content), { id: "id" })));
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(2);
  });

  it.each(["c.csv", "c.jsonl"])(
    "refuses an id column that %s does not have and lists its columns",
    async (name) => {
      const path = file(name, name.endsWith("csv") ? "sku,text\n1,x\n" : '{"sku":1,"text":"x"}\n');
      const error = await failure(describeInput(options(path, { id: "id" })));
      expect(error.code).toBe("id_column_missing");
      expect(error.hint).toContain('"sku", "text"');
    },
  );

  it("tells ids apart by case, by spaces and by nothing less", async () => {
    const path = file("apart.csv", 'id\na\nA\n"a "\n" a"\nä\na\u0308\n');
    expect((await scanInput(options(path, { id: "id" }))).rows).toBe(6);
  });

  it("does not hold rows that could not be read to an id", async () => {
    const path = file("lenient.csv", "a,id\n1,x\n2\n3,x,4\n");
    expect(await scanInput(options(path, { id: "id", lenient: true }))).toMatchObject({
      rows: 3,
      problems: 2,
    });
  });

  it("finds a duplicate among 100,000", async () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => `row-${String(index)}`);
    const path = file("many.csv", `id\n${lines.join("\n")}\nrow-77777\n`);
    const error = await failure(scanInput(options(path, { id: "id" })));
    expect(error.message).toMatch(/line 100002: the id "row-77777" .* line 77779/);
  });

  it("does not take ids of equal hash for equal ids, and still finds equal ones among them", async () => {
    const path = file("collide.csv", "id\na\nb\nc\nb\n");
    const asked = options(path, { id: "id" });
    const check = new IdCheck("id", await describeInput(asked), asked, true, new IdIndex(() => undefined));
    const [first, second, third, fourth] = await readAll(path);
    for (const row of [first, second, third]) await check.check(row!);
    const error = await failure(check.check(fourth!) ?? Promise.resolve());
    expect(error.message).toMatch(/line 5: the id "b".*line 3/);
  });
});

describe("ids that rows may have", () => {
  const scan = (name: string, content: string) =>
    scanInput(options(file(name, content)), { optionalId: "id" });

  it("may be absent, in some rows or altogether", async () => {
    expect((await scan("some.jsonl", '{"id":"x"}\n{"a":1}\n{"id":null}\n{"id":""}\n')).rows).toBe(4);
    expect((await scan("none.csv", "a\n1\n2\n")).rows).toBe(2);
  });

  it.each([
    ["with another id", '{"id":"x"}\n{"a":1}\n{"id":"x"}\n', /line 3: the id "x".*line 1/],
    ["with the number of a row without one", '{"a":1}\n{"id":"0"}\n', /line 2: the id "0".*line 1/],
  ])("must not clash %s", async (_, content, message) => {
    expect(await failure(scan("clash.jsonl", content))).toMatchObject({
      code: "id_duplicate",
      message: expect.stringMatching(message) as string,
    });
  });
});

it("waits for what looks at each row", async () => {
  const seen: number[] = [];
  await scanInput(options(file("wait.csv", "a\n1\n2\n3\n")), {
    onRow: async ({ rowIndex }) => {
      if (rowIndex === 0) await new Promise((resolve) => setImmediate(resolve));
      seen.push(rowIndex);
    },
  });
  expect(seen).toEqual([0, 1, 2]);
});

describe("the id index", () => {
  it("answers with earlier rows of the same id only, over many growths", () => {
    const index = new IdIndex();
    for (let row = 0; row < 50_000; row++) expect(index.add(`id ${String(row)}`, row)).toEqual([]);
    for (let row = 0; row < 50_000; row += 997) expect(index.add(`id ${String(row)}`, 50_000)).toEqual([row]);
  });

  it("tells apart ids that differ in one character, in length or in order", () => {
    const index = new IdIndex();
    const ids = ["", "\0", "\0\0", "ab", "ba", "abc", "acb", "aaaa", "aaab", "日本", "本日"];
    expect(ids.flatMap((id, row) => index.add(id, row))).toEqual([]);
  });
});

it("makes the customId from the id column, a number as text, or the row number", () => {
  const row = { rowIndex: 4, line: 9, values: { id: "x", number: 1.5, empty: "" } };
  expect(customIdOf(row, "id")).toBe("x");
  expect(customIdOf(row, "number")).toBe("1.5");
  expect(customIdOf(row, null)).toBe("4");
  expect(customIdOf(row, "empty")).toBe("4");
});

it.each([
  ["plain 😀 text", false],
  ["nul \0", true],
  ["high \ud800 alone", true],
  ["low \udc00 alone", true],
])("says whether %j is unsafe to store", (text, unsafe) => {
  expect(hasUnsafeText(text)).toBe(unsafe);
});
