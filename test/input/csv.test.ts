import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeInput, readRows, scanInput, type InputRow } from "../../src/input/index.js";
import { csvCells } from "../../src/writer/csv-record.js";
import { failure, inputFolder, options, readAll } from "./input-files.js";

const file = inputFolder();

describe("reading CSV", () => {
  const readable: [string, string, Record<string, string>[], number[]][] = [
    [
      "takes quoted delimiters, quotes and line breaks as text",
      'a,b\n"1,2","say ""hi"""\n"x\ny",z\nlast,row\n',
      [
        { a: "1,2", b: 'say "hi"' },
        { a: "x\ny", b: "z" },
        { a: "last", b: "row" },
      ],
      [2, 3, 5],
    ],
    [
      "counts a CRLF inside quotes as one line",
      'a,b\r\n1,"x\r\ny"\r\n3,4\r\n',
      [
        { a: "1", b: "x\r\ny" },
        { a: "3", b: "4" },
      ],
      [2, 4],
    ],
    [
      "skips blank lines anywhere and still counts them",
      "\n\na,b\n\n1,2\n\n\n3,4\n\n",
      [
        { a: "1", b: "2" },
        { a: "3", b: "4" },
      ],
      [5, 8],
    ],
    ["reads a last record without a line break", "a,b\n1,2", [{ a: "1", b: "2" }], [2]],
    ["drops a byte order mark", "\uFEFFa,b\n1,2\n", [{ a: "1", b: "2" }], [2]],
    ["detects a semicolon", "a;b,c;d\n1;2;3\n", [{ a: "1", "b,c": "2", d: "3" }], [2]],
    ["detects a tab", "a\tb\n1\t2,5\n", [{ a: "1", b: "2,5" }], [2]],
    ["detects a bar", "a|b\n1|2\n", [{ a: "1", b: "2" }], [2]],
    ["ignores delimiters inside header quotes", '"a;b;c",d\n1,2\n', [{ "a;b;c": "1", d: "2" }], [2]],
    ["understands Excel's sep= line", "sep=;\r\na,b;c\r\n1;2\r\n", [{ "a,b": "1", c: "2" }], [3]],
    [
      "reads files that end lines with a lone CR",
      "a,b\r1,2\r3,4\r",
      [
        { a: "1", b: "2" },
        { a: "3", b: "4" },
      ],
      [2, 3],
    ],
    [
      "takes a mix of LF and CRLF",
      "a,b\n1,2\r\n3,4\n",
      [
        { a: "1", b: "2" },
        { a: "3", b: "4" },
      ],
      [2, 3],
    ],
    [
      "in one column, skips empty lines and keeps quoted empty cells",
      'a\n1\n\n""\n2\n',
      [{ a: "1" }, { a: "" }, { a: "2" }],
      [2, 4, 5],
    ],
    ["takes a header over two lines", '"a\nb",c\n1,2\n', [{ "a\nb": "1", c: "2" }], [3]],
    ["keeps white space around cells", "a,b\n 1 ,2 \n", [{ a: " 1 ", b: "2 " }], [2]],
    [
      "passes over records that hold no value, whatever the number of their cells",
      'a,b\n1,2\n,\n"",""\n , \t\n,,\n3,\n',
      [
        { a: "1", b: "2" },
        { a: "3", b: "" },
      ],
      [2, 7],
    ],
    [
      "ignores cells without a value behind the last name of the header",
      "a,b,, \n1,2,,\n3,4\n5,6,,\n,,,\n",
      [
        { a: "1", b: "2" },
        { a: "3", b: "4" },
        { a: "5", b: "6" },
      ],
      [2, 3, 4],
    ],
    ["keeps U+0000", "a,b\n1,x\0y\n", [{ a: "1", b: "x\0y" }], [2]],
  ];
  it.each(readable)("%s", async (title, content, values, lines) => {
    const rows = await readAll(file(`${title.replaceAll(/\W/g, "-")}.csv`, content));
    expect(rows.map((row) => ({ ...row.values }))).toEqual(values);
    expect(rows.map((row) => row.line)).toEqual(lines);
    expect(rows.map((row) => row.rowIndex)).toEqual(rows.map((_, index) => index));
  });

  it("splits a .tsv at tabs only, however many commas its header has", async () => {
    const path = file("commas.tsv", "a,b,c\td\n1\t2\n");
    expect((await describeInput(options(path))).delimiter).toBe("\t");
  });

  it.each([
    [":", "a:b\n1:2\n"],
    ["tab", "a,x\tb\n1\t2\n"],
    ["\\t", "a,x\tb\n1\t2\n"],
  ])("takes the delimiter %j when it is given", async (delimiter, content) => {
    const rows = await readAll(file("given.csv", content), { delimiter });
    expect(Object.values(rows[0]?.values ?? {})).toEqual(["1", "2"]);
  });

  it.each(["", ";;", '"', "\n"])("refuses the delimiter %j", async (delimiter) => {
    const error = await failure(describeInput(options(file("d.csv", "a,b\n1,2\n"), { delimiter })));
    expect(error.code).toBe("bad_delimiter");
  });

  it("holds columns that are named like prototype members", async () => {
    const rows = await readAll(file("proto.csv", "__proto__,constructor\nx,y\n"));
    const values = rows[0]?.values ?? {};
    expect(Object.entries(values)).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(values["toString"]).toBeUndefined();
  });
});

describe("records without any value", () => {
  it("are counted by a scan, with the line of the first", async () => {
    const path = file("blank.csv", 'a,b\n1,2\n\n,\n"x\ny",z\n,\n');
    expect(await scanInput(options(path))).toMatchObject({ rows: 2, blank: { records: 2, firstLine: 4 } });
    expect(await scanInput(options(file("full.csv", "a,b\n1,2\n")))).not.toHaveProperty("blank");
  });

  it("are rows to a run of a version that took them for rows", async () => {
    const path = file("old.csv", "a,b\n1,2\n,\n3,4\n");
    const { skipsBlank, ...old } = await describeInput(options(path));
    expect(skipsBlank).toBe(true);
    const rows = [];
    for await (const batch of readRows(old, options(path), { afterRow: 0 })) rows.push(...batch);
    expect(rows.map((row) => [row.rowIndex, row.values["a"]])).toEqual([
      [1, ""],
      [2, "3"],
    ]);
  });

  it("are skipped where rows are skipped, with any delimiter", async () => {
    const cell = fc.constantFrom("", "", " ", "\t ", "x", '"', '""', ",", ";", "\n", "\r", "·");
    const row = fc.array(cell, { minLength: 2, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 12 }),
        fc.constantFrom(",", ";", "\t", "·"),
        fc.constantFrom("\n", "\r\n"),
        async (cells, delimiter, end) => {
          const quoted = csvCells(delimiter);
          const text = [["a", "b"], ...cells].map((each) => each.map(quoted).join(delimiter) + end).join("");
          const asked = options(file("any.csv", text), { delimiter });
          const description = await describeInput(asked);
          const read = async (afterRow: number): Promise<InputRow[]> => {
            const rows = [];
            for await (const batch of readRows(description, asked, { afterRow })) rows.push(...batch);
            return rows;
          };
          const all = await read(-1);
          expect(all.map(({ values }) => Object.values(values))).toEqual(
            cells.filter((each) => each.some((text) => /[^ \t]/.test(text))),
          );
          for (const afterRow of [0, 1, 5]) expect(await read(afterRow)).toEqual(all.slice(afterRow + 1));
        },
      ),
    );
  });
});

describe("refusing CSV", () => {
  const refused: [string, string, string, RegExp][] = [
    [
      "a value behind the last name of the header",
      "a,b,,\n1,2,,\n3,4,,x\n",
      "cell_count",
      /line 3: a value stands behind the last column, "b"/,
    ],
    ["a header without any name", ",,\n1,2,3\n", "bad_header", /no name at positions 1, 2, 3/],
    [
      "names that are invisible",
      'id,"a\u200b","a\u200b"\n1,2,3\n',
      "bad_header",
      /"a\\u200b" at positions 2, 3/,
    ],
    ["a name twice", "id,a,id\n1,2,3\n", "bad_header", /line 1: .*"id" at positions 1, 3/],
    ["names that are empty", "id,, ,x\n1,2,3,4\n", "bad_header", /no name at positions 2, 3/],
    ["too few cells", "a,b\n1,2\n3\n", "cell_count", /line 3: 1 cell where the header has 2 columns/],
    ["too many cells", 'a,b\n"x\ny",2\n3,4,5\n', "cell_count", /line 4: 3 cells where the header has 2/],
    ["a quote never closed", 'a,b\n1,2\n3,"x\n5,6\n', "unclosed_quote", /line 3: a quote opens here/],
    [
      "a quote never closed in a later line of a record",
      'a,b\n"1\n2","x\ny\n',
      "unclosed_quote",
      /line 3: a quote opens here/,
    ],
    ["a quote never closed in the header", 'a,"b\n1,2\n', "unclosed_quote", /line 1: the header/],
    ["a quote inside an unquoted cell", 'a,b\n1,2\n3,5" disk\n', "stray_quote", /line 3: a quote/],
    ["text after a closing quote", 'a,b\r\n"x\r\ny",2\r\n"3"z,4\r\n', "stray_quote", /line 4: text follows/],
    ["a header without rows", "a,b\n\n", "input_no_rows", /has a header but no rows/],
    ["an empty file", "", "input_empty", /is empty/],
    ["a file of blank lines", "\n\r\n\n", "input_empty", /is empty/],
    ["a file of a byte order mark", "\uFEFF", "input_empty", /is empty/],
    ["only a sep= line", "sep=;\n", "input_empty", /is empty/],
  ];
  it.each(refused)("refuses %s, naming file and line", async (title, content, code, message) => {
    const path = file(`${title.replaceAll(/\W/g, "-")}.csv`, content);
    const error = await failure(scanInput(options(path)));
    expect(error.code).toBe(code);
    expect(error.exitCode).toBe(2);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(path);
    expect(error.hint).toBeTruthy();
  });

  it.each([
    ["pandas.csv", ",name,text\n0,a,b\n"],
    ["r.csv", '"","name","text"\n"1","a","b"\n'],
    ["r-table.csv", '"name","text"\n"1","a","b"\n'],
  ])("names what leaves a row index out, for %s", async (name, content) => {
    const { hint } = await failure(scanInput(options(file(name, content))));
    expect(hint).toContain("`index=False`");
    expect(hint).toContain("`row.names=FALSE`");
  });

  it("says nothing that would steer a terminal, whatever names and cells hold", async () => {
    const evil = "\u001b[2J\u0007\u009b31m\u202eevil\u2028";
    const path = file("evil.csv", `id,${evil}\n1,${evil},3\n`);
    const count = await failure(scanInput(options(path)));
    const missing = await failure(scanInput(options(path, { id: evil.slice(1) })));
    const twice = await failure(
      scanInput(options(file("ids.csv", `id,b\n${evil},1\n${evil},2\n`), { id: "id" })),
    );
    for (const { message, hint } of [count, missing, twice]) {
      expect(`${message}${hint}`).toContain("evil");
      expect(`${message}${hint}`).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028]/u);
    }
  });

  it("refuses a header that does not end within 1 MB", async () => {
    const error = await failure(scanInput(options(file("long.csv", `a,"${"x\n".repeat(700_000)}`))));
    expect(error.code).toBe("header_too_large");
  });
});

describe("reading CSV leniently", () => {
  it("marks rows with another number of cells and goes on", async () => {
    const path = file("ragged.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n");
    const rows = await readAll(path, { lenient: true });
    expect(rows.map((row) => row.problem?.code)).toEqual([undefined, "cell_count", "cell_count", undefined]);
    expect(rows.map((row) => ({ ...row.values }))).toEqual([
      { a: "1", b: "2" },
      { a: "3" },
      { a: "4", b: "5" },
      { a: "7", b: "8" },
    ]);
    expect(rows[1]?.problem).toEqual({
      kind: "input",
      code: "cell_count",
      message: `${path}, line 3: 1 cell where the header has 2 columns.`,
      httpStatus: null,
    });
    const summary = await scanInput(options(path, { lenient: true }));
    expect(summary).toMatchObject({ rows: 4, problems: 2 });
  });

  it("takes a quote inside an unquoted cell as text", async () => {
    const rows = await readAll(file("inch.csv", 'a,b\n1,5" disk\n2,"x"y\n3,4\n'), { lenient: true });
    expect(rows.map((row) => row.values["b"])).toEqual(['5" disk', '"x"y', "4"]);
    expect(rows.map((row) => row.line)).toEqual([2, 3, 4]);
  });

  it("marks the record whose quote is never closed, which is the last one", async () => {
    const rows = await readAll(file("open.csv", 'a,b\n1,2\n3,"x\n5,6\n'), { lenient: true });
    expect(rows.map((row) => [row.line, row.problem?.code])).toEqual([
      [2, undefined],
      [3, "unclosed_quote"],
    ]);
  });
});
