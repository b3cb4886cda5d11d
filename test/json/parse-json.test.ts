import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonText } from "../../src/json/json-text.js";
import { JsonFault, parseJson } from "../../src/json/parse-json.js";
import { keysOf, numberOf, SourceNumber } from "../../src/json/source-number.js";

function findJsonFault(text: string): JsonFault | null {
  try {
    parseJson(text, true);
    return null;
  } catch (error) {
    if (error instanceof JsonFault) return error;
    throw error;
  }
}

it.each([
  ["", 0],
  ["{", 1],
  ['{"a"', 4],
  ['{"a":', 5],
  ['{"a":1 "b"', 7],
  ['{"a":1,}', 7],
  ["{1:2}", 1],
  ["[1,]", 3],
  ["[1 2]", 3],
  ["[1}", 2],
  ["tru", 0],
  ["01", 1],
  ["1.", 1],
  ['"a\tb"', 2],
  ['"a\\x"', 2],
  ['"a', 2],
  ["{} x", 3],
  ["'a'", 0],
])("finds the fault of %j at offset %i", (text, offset) => {
  expect(findJsonFault(text)?.offset).toBe(offset);
});

it("agrees with JSON.parse on what is JSON", () => {
  const parses = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const alphabet = fc.constantFrom(...Array.from("{}[]:,\"\\ \n\t0123-+.eEtrufalsn'/b\u0001é"));
  const noise = fc.string({ unit: alphabet, maxLength: 12 });
  const almost = fc
    .tuple(fc.json({ maxDepth: 3 }), fc.nat(), alphabet)
    .map(
      ([json, at, extra]) =>
        json.slice(0, at % (json.length + 1)) + extra + json.slice((at % (json.length + 1)) + 1),
    );
  fc.assert(
    fc.property(fc.oneof(noise, almost, fc.json()), (text) => {
      expect(findJsonFault(text) === null).toBe(parses(text));
    }),
    { numRuns: 3000 },
  );
});

describe("JSON that is read", () => {
  const number = fc.stringMatching(/^-?(0|[1-9]\d{0,22})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/);
  const key = fc.oneof(fc.string(), fc.constantFrom("2", "1", "10", "__proto__", "a:", '"', "\\"));
  /** Compact JSON text with any numbers and any order of keys. */
  const { text } = fc.letrec<{ text: string; list: string; mapping: string; scalar: string }>((tie) => ({
    scalar: fc.oneof(
      number,
      fc.json({ maxDepth: 0 }),
      fc.string().map((each) => JSON.stringify(each)),
    ),
    list: fc.array(tie("text"), { maxLength: 4 }).map((items) => `[${items.join()}]`),
    mapping: fc
      .uniqueArray(fc.tuple(key, tie("text")), { selector: ([name]) => name, maxLength: 5 })
      .map((pairs) => `{${pairs.map(([name, each]) => `${JSON.stringify(name)}:${each}`).join()}}`),
    text: fc.oneof({ maxDepth: 3 }, tie("scalar"), tie("list"), tie("mapping")),
  }));

  it("is written again as the same text, whatever its numbers and keys are", () => {
    fc.assert(
      fc.property(text, (json) => {
        expect(jsonText(parseJson(json))).toBe(json);
        expect(jsonText(parseJson(json, true))).toBe(json);
      }),
      { numRuns: 3_000 },
    );
  });

  it("is the value that JSON.parse gives, numbers rounded", () => {
    fc.assert(
      fc.property(text, (json) => {
        expect(JSON.parse(JSON.stringify(parseJson(json)))).toEqual(
          JSON.parse(JSON.stringify(JSON.parse(json))),
        );
      }),
    );
  });

  it.each([
    ["1.0", 1],
    ["12345678901234567890", 12345678901234567000],
    ["-0", -0],
    ["1e400", Infinity],
    ["0.10", 0.1],
    ["1E2", 100],
    ["0.0000001", 1e-7],
    ["0.1234567890123456789", 0.12345678901234568],
  ])("keeps the text of the number %s, also behind spaces", (source, value) => {
    for (const json of [
      `{"n":${source}}`,
      `{"n" :\t${source} }`,
      `{ "n": ${source} }`,
      `{"a":{"n":  ${source}}}`,
    ]) {
      const read = parseJson(json) as { n?: unknown; a?: { n: unknown } };
      const kept = read.n ?? read.a?.n;
      expect(kept).toBeInstanceOf(SourceNumber);
      expect(String(kept)).toBe(source);
      expect(numberOf(kept)).toBe(value);
    }
  });

  it("has plain numbers and mappings where those keep everything", () => {
    const json = '{"a":1,"b":[],"c":{"d":-1.5},"e":"x: 1.0, \\"2\\":3"}';
    expect(parseJson(json)).toEqual(JSON.parse(json));
  });

  it.each(['{"a":1,"a":1}', '{"a":1,"b":{"c":1,"\\u0063":2}}', '[{"x":1 ,"x" :2}]', '{"1":1,"1":2}'])(
    "is refused where a key stands twice: %s",
    (json) => {
      expect(() => parseJson(json)).toThrow(JsonFault);
      expect(jsonText(parseJson(json, true))).toBe(JSON.stringify(JSON.parse(json)));
    },
  );

  it("is refused below a thousand levels of brackets, not with a stack overflow", () => {
    const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    expect(() => parseJson(deep(500))).not.toThrow();
    expect(() => parseJson(deep(200_000))).toThrow(JsonFault);
  });

  it("has its keys in the order of the text", () => {
    expect(keysOf(parseJson('{"b":0,"2":0,"1":0}') as object)).toEqual(["b", "2", "1"]);
  });

  it("comes out over several lines as JSON.stringify makes them", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(jsonText(plain, "  ")).toBe(JSON.stringify(plain, null, 2));
      }),
    );
  });
});
