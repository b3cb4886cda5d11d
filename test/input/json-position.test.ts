import * as fc from "fast-check";
import { expect, it } from "vitest";
import { findJsonFault } from "../../src/input/json-position.js";

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
