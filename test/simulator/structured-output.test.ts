import { Ajv } from "ajv";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { matchPattern } from "../../src/simulator/answers/pattern-text.js";
import { schemaValue } from "../../src/simulator/answers/schema-value.js";
import { asking, contentOf, paths, post, simulate } from "./calling.js";

const ajv = new Ajv({ strict: false, validateFormats: false });

type Schema = Record<string, unknown>;

const { schema: schemas } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc
      .tuple(fc.nat(30), fc.nat(60))
      .map(([minLength, more]): Schema => ({ type: "string", minLength, maxLength: minLength + more })),
    fc
      .tuple(fc.integer({ min: -50, max: 50 }), fc.nat(40))
      .map(([minimum, more]): Schema => ({ type: "integer", minimum, maximum: minimum + more })),
    fc
      .tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 40 }))
      .map(([low, more]): Schema => ({
        type: "number",
        exclusiveMinimum: low,
        exclusiveMaximum: low + more,
      })),
    fc.constant<Schema>({ type: ["string", "null"] }),
    fc.constant<Schema>({ type: "boolean" }),
    fc
      .uniqueArray(fc.oneof(fc.string(), fc.integer(), fc.constant(null)), {
        minLength: 1,
        maxLength: 4,
        selector: (value) => JSON.stringify(value),
      })
      .map((values): Schema => ({ enum: values })),
    fc.tuple(tie("schema"), fc.nat(3), fc.nat(3)).map(([items, minItems, more]): Schema => ({
      type: "array",
      items,
      minItems,
      maxItems: minItems + more,
    })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf): Schema => ({ anyOf })),
    fc
      .tuple(
        fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), tie("schema"), { maxKeys: 4 }),
        fc.boolean(),
      )
      .map(([properties, all]): Schema => ({
        type: "object",
        properties,
        required: all ? Object.keys(properties) : [],
        additionalProperties: false,
      })),
  ),
}));

describe("structured output", () => {
  it("fits whatever schema is asked for", () => {
    fc.assert(
      fc.property(schemas, fc.lorem({ maxCount: 20 }), (schema, text) => {
        const value: unknown = JSON.parse(JSON.stringify(schemaValue(schema, text)));
        const valid = ajv.validate(schema, value);
        expect(valid, `${JSON.stringify(value)} against ${JSON.stringify(schema)}: ${ajv.errorsText()}`).toBe(
          true,
        );
      }),
      { numRuns: 150 },
    );
  });

  const person = {
    $defs: {
      person: {
        type: "object",
        properties: {
          name: { type: "string" },
          friends: { type: "array", items: { $ref: "#/$defs/person" } },
        },
        required: ["name"],
      },
    },
    type: "object",
    properties: {
      owner: { $ref: "#/$defs/person" },
      sku: { type: "string", pattern: "^[A-Z]{3}-\\d{4}$" },
      price: { type: "number", minimum: 0, multipleOf: 0.25 },
      tags: {
        type: "array",
        items: { type: "string", enum: ["a", "b", "c"] },
        uniqueItems: true,
        minItems: 3,
      },
      kind: { allOf: [{ type: "string" }, { enum: ["book"] }] },
    },
    required: ["owner", "sku", "price", "tags", "kind"],
    additionalProperties: false,
  };

  it("fits references, patterns, unique items and combined schemas", () => {
    const value: unknown = JSON.parse(JSON.stringify(schemaValue(person, "some words of a prompt")));
    expect(ajv.validate(person, value), ajv.errorsText()).toBe(true);
  });

  it("is sent for json_schema, and depends on the prompt", async () => {
    const simulator = await simulate();
    const response_format = {
      type: "json_schema",
      json_schema: { name: "item", strict: true, schema: person },
    };
    const one = contentOf(await post(simulator, paths.openai, asking("a green apple", { response_format })));
    const other = contentOf(
      await post(simulator, paths.openai, asking("a red pear of 1900", { response_format })),
    );
    expect(ajv.validate(person, JSON.parse(one))).toBe(true);
    expect(other).not.toBe(one);
  });

  it("fits a schema that stands in the prompt, for json_object", async () => {
    const simulator = await simulate();
    const prompt = `Answer as JSON for this schema:\n${JSON.stringify(person, null, 2)}\n\nA green {apple}.`;
    const reply = await post(
      simulator,
      paths.openai,
      asking(prompt, { response_format: { type: "json_object" } }),
    );
    expect(ajv.validate(person, JSON.parse(contentOf(reply))), ajv.errorsText()).toBe(true);
  });

  it("is a plain object for json_object without a schema", async () => {
    const simulator = await simulate();
    const reply = await post(
      simulator,
      paths.openai,
      asking("JSON please", { response_format: { type: "json_object" } }),
    );
    expect(JSON.parse(contentOf(reply))).toMatchObject({ simulated: true });
  });

  it("does not fit on demand, in more ways than one", async () => {
    const simulator = await simulate();
    const response_format = { type: "json_schema", json_schema: { name: "item", schema: person } };
    const kinds = new Set<string>();
    for (let row = 0; row < 20; row++) {
      const body = asking(`[[sim:fault=invalid_json_output]] row ${row}`, { response_format });
      const text = contentOf(await post(simulator, paths.openai, body));
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        kinds.add("not JSON");
        continue;
      }
      expect(ajv.validate(person, value)).toBe(false);
      kinds.add("another shape");
    }
    expect(kinds.size).toBe(2);
    expect(simulator.calls().answered).toBe(20);
  });
});

describe("a text for a pattern", () => {
  it.each([
    "^[A-Z]{3}$",
    "^\\d{4}-\\d{2}-\\d{2}$",
    "^(red|green)$",
    "^[^@]+@[^@]+\\.com$",
    "^\\+?[0-9 ]{7,15}$",
    "^(?:ab)+c?$",
    "\\p{Lu}\\p{Ll}+",
    "^$",
    "a|b",
    "^[\\w.-]+$",
  ])("%s matches it", (pattern) => {
    expect(matchPattern(pattern)).toMatch(new RegExp(pattern, "u"));
  });

  it.each(["(", "[abc", "(?=x)y", "(a)\\1", "^(?!a).*$"])("%s is not attempted", (pattern) => {
    expect(matchPattern(pattern)).toBeNull();
  });
});
