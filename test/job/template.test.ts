import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileRequests, missingColumns } from "../../src/job/index.js";
import { parseTemplate } from "../../src/job/template.js";
import { parseJson } from "../../src/json/parse-json.js";
import { build, problemOf, promptJob, resolved, row, rowsJob } from "./fixtures.js";

const render = (user: string, values: Record<string, unknown>) =>
  build({ ...promptJob, prompt: { user } }, values).request.messages[0]?.content;

describe("a template", () => {
  it.each([
    ["{{ title }}", { title: "T" }, "T"],
    ["{{ 列名 }}", { 列名: "值" }, "值"],
    ["{{ Größe }}", { Größe: "XL" }, "XL"],
    ['{{ row["Product name"] }}', { "Product name": "Lamp" }, "Lamp"],
    ['{{ row["2024"] }}', { "2024": "year" }, "year"],
    ['{{ row["size"] }}', { size: "XL" }, "XL"],
    ["{{ row }}", { row: "a column" }, "a column"],
    [
      '{{ row["constructor"] }}{{ row["__proto__"] }}',
      JSON.parse('{"constructor":"c","__proto__":"p"}') as object,
      "cp",
    ],
    ["{{ n }} {{ b }}", { n: 1.5, b: true }, "1.5 true"],
    ["{{ n }}.", { n: null }, "."],
    ["{{ o }}", { o: { a: [1, "x"] } }, '{"a":[1,"x"]}'],
    ["{{ o.a[1] }}", { o: { a: [1, "x"] } }, "x"],
    ["{{ list }}", { list: ["a", { b: 1 }] }, '["a",{"b":1}]'],
    ['{{ list | join: ", " }}', { list: ["a", "b"] }, "a, b"],
    ["{{ t | upcase | truncate: 4 }}", { t: "abcdef" }, "A..."],
    ['{% if g != "" %}G{% endif %}x', { g: "" }, "x"],
    ['{{ g | default: "none" }}', { g: "" }, "none"],
    ['{{ optional | default: "none" }}', { other: 1 }, "none"],
  ])("%s with %j is %j", (user, values, expected) => {
    expect(render(user, values as Record<string, unknown>)).toBe(expected);
  });

  it.each([
    ["{{ n }}", "1.0"],
    ["{{ big }}", "12345678901234567890"],
    ["{{ o }} {{ o.l[1] }}", '{"2":[2.50],"1":-0,"l":[1,1e400]} 1e400'],
    ["{{ o | json }}", '{"2":[2.50],"1":-0,"l":[1,1e400]}'],
    ["{% for x in o.l %}{{ x }};{% endfor %}", "1;1e400;"],
    ['{{ o.l | join: " " }} {{ big | append: "!" }}', "1 1e400 12345678901234567890!"],
    ["{% if n == 1 and n < 2 %}{{ n | plus: 1 }}{% endif %}", "2"],
  ])("%s inserts numbers of JSONL as they are written there", (user, expected) => {
    const line = '{"n":1.0,"big":12345678901234567890,"o":{"2":[2.50],"1":-0,"l":[1,1e400]}}';
    expect(render(user, parseJson(line) as Record<string, unknown>)).toBe(expected);
  });

  it("inserts any text of a row verbatim", () => {
    const liquidish = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "{{ secret }}",
        "{% raw %}",
        "{%- if x -%}",
        "{{",
        "}}",
        "{% endraw %}",
        "$&",
        "\\n",
        "<b>&amp;",
      ),
    );
    const text = fc.array(liquidish, { minLength: 1 }).map((pieces) => pieces.join(""));
    const builder = compileRequests(
      resolved({ ...promptJob, prompt: { user: "<{{ a }}|{{ row['b c'] }}>" } }),
    );
    fc.assert(
      fc.property(text, text, (a, b) => {
        const { request } = builder.build(row({ a, "b c": b, secret: "never" }));
        expect(request.messages[0]?.content).toBe(`<${a}|${b}>`);
      }),
    );
  });

  it("inserts text by the short way of plain templates as Liquid itself does", () => {
    const piece = fc.oneof(
      fc.constantFrom("{{ a }}", "{{b}}", "{{  列 }}", "{{ a.b }}", "{{- a }}", "{{ true }}", "{{ blank }}"),
      fc.constantFrom(
        "{{{ a }}",
        "{",
        "}",
        "}}",
        "\n",
        "{{ a | upcase }}",
        "{{ row }}",
        "{% if a %}x{% endif %}",
      ),
      fc.string({ unit: fc.constantFrom("x", " ", "}", "$", "é") }),
    );
    const attempted = (source: string, values: Record<string, unknown>): string => {
      try {
        return parseTemplate(source).render(values);
      } catch {
        return "refused"; // in words that quote the template, so that they differ
      }
    };
    const value = fc.oneof(fc.string(), fc.constantFrom<unknown>(null, 1.5, ["x"], { b: "y" }));
    fc.assert(
      fc.property(fc.array(piece), value, value, (pieces, a, b) => {
        const source = `${pieces.join("")} `;
        const values = { a, b, 列: "text", true: "no", row: "own" };
        expect(attempted(source, values)).toBe(attempted(`${source}{% if false %}{% endif %}`, values));
      }),
      { numRuns: 1_000 },
    );
  });

  it("reaches columns of any name, and nothing that the row does not own", () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((text) => !/["'\\\r\n]/.test(text) && !/[{}%]/.test(text));
    fc.assert(
      fc.property(name, (column) => {
        expect(render(`{{ row["${column}"] }}.`, { [column]: "value" })).toBe("value.");
      }),
    );
    for (const inherited of ["toString", "constructor", "__proto__", "hasOwnProperty", "row.constructor"]) {
      expect(problemOf({ ...promptJob, prompt: { user: `{{ ${inherited} }}` } }, { text: "x" }).code).toBe(
        "missing_column",
      );
    }
  });

  it("names template line, row and the column that was probably meant", () => {
    const user = "First line\n\n  {{ titel }}";
    const problem = problemOf({ ...promptJob, prompt: { user } }, { title: "x" });
    expect(problem).toMatchObject({ column: "titel", templateLine: 3, line: 2, code: "missing_column" });
    expect(problem.message).toBe(
      'row 1 (line 2): there is no column "titel"; did you mean title? (prompt.user, template line 3)',
    );
  });

  it("stops a loop that would eat the memory", () => {
    const user = "{% for i in (1..100000000) %}{{ i }}{% endfor %}";
    expect(problemOf({ ...promptJob, prompt: { user } }, {}).code).toBe("template_failed");
  });
});

describe("columns of a job", () => {
  const job = resolved({
    ...promptJob,
    input: { id: "sku" },
    prompt: {
      system: '{{ row["Brand name"] }}',
      user: "{{ a }}\n{% for x in list %}{{ x }}{% endfor %}{% if b %}{{ a }}{% endif %}",
    },
  });

  it("are what its templates name, loop variables left out", () => {
    expect([...compileRequests(job).variables].sort()).toEqual(["Brand name", "a", "b", "list"]);
  });

  it("that an input lacks are listed with the place that needs them", () => {
    expect(missingColumns(job, ["a", "b"])).toEqual([
      { column: "sku", where: "input.id" },
      { column: "Brand name", where: "prompt.system line 1" },
      { column: "list", where: "prompt.user line 2" },
    ]);
    expect(missingColumns(job, ["sku", "a", "b", "list", "Brand name"])).toEqual([]);
  });

  it("of prompt rows are prompt or messages", () => {
    expect(missingColumns(resolved(rowsJob), ["text"]).map(({ column }) => column)).toEqual(["prompt"]);
    expect(missingColumns(resolved(rowsJob), ["messages"])).toEqual([]);
  });
});
