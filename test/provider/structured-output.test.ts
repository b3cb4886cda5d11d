import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import {
  compileSchema,
  jsonInstruction,
  parseStructured,
  structuredOutputFor,
} from "../../src/provider/index.js";
import type { JsonSchema } from "../../src/provider/index.js";

const SCHEMA = {
  type: "object",
  properties: { name: { type: "string" }, size: { type: "integer" }, kind: { enum: ["a", "b"] } },
  required: ["name"],
  additionalProperties: false,
};
const validate = compileSchema(SCHEMA);

describe("asking for a shape", () => {
  it("is json_schema where the model supports it", () => {
    expect(structuredOutputFor("qwen-plus", SCHEMA, false)).toStrictEqual({
      responseFormat: { type: "json_schema", jsonSchema: { name: "answer", schema: SCHEMA, strict: true } },
      instruction: null,
    });
  });

  it("is json_object and the schema in words elsewhere, words alone while thinking", () => {
    const instruction = jsonInstruction(SCHEMA);
    expect(instruction).toContain("JSON");
    expect(instruction).toContain('"required":["name"]');
    expect(structuredOutputFor("qwen-max", SCHEMA, false)).toStrictEqual({
      responseFormat: { type: "json_object" },
      instruction,
    });
    expect(structuredOutputFor("qwen3.5-plus", SCHEMA, true)).toStrictEqual({
      responseFormat: { type: "text" },
      instruction,
    });
  });
});

describe("reading a shaped answer", () => {
  const value = { name: "x", size: 3 };
  const text = JSON.stringify(value);

  it.each([
    ["alone", text],
    ["with white space around", `\n  ${text}\n`],
    ["in a code fence", `\`\`\`json\n${text}\n\`\`\``],
    ["in a fence without a language", `\`\`\`\n${text}\n\`\`\`\n`],
    ["in a fence with words around", `Here you are:\n\`\`\`JSON\r\n${text}\r\n\`\`\`\nAnything else?`],
    ["in a fence that was not closed", `\`\`\`json\n${text}`],
    ["after thoughts that the job keeps", `<think>\n{"name": 1}?\n</think>\n${text}`],
  ])("takes JSON %s", (_how, answer) => {
    expect(parseStructured(answer, validate)).toMatchObject({ value });
  });

  it("takes falsy values and fences inside strings as they are", () => {
    expect(parseStructured("false", compileSchema({ type: "boolean" }))).toMatchObject({ value: false });
    const code = JSON.stringify({ name: "```json\n{}\n```" });
    expect(parseStructured(code, validate)).toMatchObject({ value: { name: "```json\n{}\n```" } });
  });

  it.each([
    ["nothing", "", /empty/],
    ["words", "I cannot do that", /not JSON: it begins with "I cannot do that"/],
    ["half of it", '{"name": "x', /not JSON/],
    ["a missing property", "{}", /must have required property 'name'/],
    ["a wrong type", '{"name":"x","size":"big"}', /\/size must be integer/],
    [
      "a value outside the list",
      '{"name":"x","kind":"c"}',
      /\/kind must be equal to one of the allowed values \(\["a","b"\]\)/,
    ],
    ["an extra property", '{"name":"x","colour":1}', /additional properties \(colour\)/],
  ])("says what is wrong with %s", (_what, answer, problem) => {
    expect(parseStructured(answer, validate)).toStrictEqual({
      problem: expect.stringMatching(problem) as unknown,
    });
  });
});

describe("schemas", () => {
  it.each([
    [
      "2020-12",
      {
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "array",
        prefixItems: [{ type: "string" }],
      },
    ],
    [
      "2019-09",
      { $schema: "https://json-schema.org/draft/2019-09/schema", type: "array", items: [{ type: "string" }] },
    ],
    [
      "draft-07",
      { $schema: "http://json-schema.org/draft-07/schema#", type: "array", items: [{ type: "string" }] },
    ],
  ])("of %s are understood", (_draft, schema) => {
    const check = compileSchema(schema);
    expect(check(["a"])).toBeNull();
    expect(check([1])).toContain("must be string");
  });

  it("unknown formats and keywords do not stand in the way", () => {
    expect(compileSchema({ type: "string", format: "made-up", "x-note": 1 })("a")).toBeNull();
  });

  it("that are none are refused with the reason", () => {
    expect(() => compileSchema({ type: "objekt" })).toThrow(UsageError);
    expect(() => compileSchema({ $ref: "https://elsewhere.example/schema.json" })).toThrow(/no JSON Schema/);
  });
});

describe("checks that would run away", () => {
  const runaway = "x".repeat(60);

  it.each<[string, JsonSchema, unknown]>([
    ["a pattern that backtracks", { type: "string", pattern: "^(x+x+)+y$" }, runaway],
    [
      "one of a property deep inside",
      { items: { properties: { a: { pattern: "^([a-z]+)*$" } } } },
      [{ a: `${runaway}1` }],
    ],
    ["one for names", { patternProperties: { "^(x*)*$": { type: "null" } } }, { [`${runaway}!`]: 1 }],
    ["one on names", { propertyNames: { pattern: "^(\\w|x)+$" } }, { [`${runaway}-`]: 1 }],
    [
      "many objects that must differ",
      { uniqueItems: true },
      Array.from({ length: 30_000 }, (_, n) => ({ n })),
    ],
    ["a schema in itself and an answer without end", { properties: { in: { $ref: "#" } } }, nested(50_000)],
  ])("are broken off, and the answer does not fit: %s", (_what, schema, value) => {
    expect(compileSchema(schema)(value)).toMatch(/could not be checked/);
  });

  it("are made as ever where they end", () => {
    const check = compileSchema({ properties: { code: { pattern: "^(a+)+$" } }, required: ["code"] });
    expect(check({ code: "aaa" })).toBeNull();
    expect(check({ code: "b" })).toContain("must match pattern");
    expect(check({})).toContain("must have required property");
  });

  it("say nothing that a terminal would act on, though the answer does", () => {
    const problem = compileSchema({ additionalProperties: false })({ "\u001b[2J\u202e": 1 });
    expect(problem).toContain("additional properties (\ufffd[2J\ufffd)");
  });
});

function nested(depth: number): unknown {
  let value: unknown = {};
  for (let level = 0; level < depth; level += 1) value = { in: value };
  return value;
}
