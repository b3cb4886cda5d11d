import * as fc from "fast-check";
import { expect, it } from "vitest";
import { TextBlocks } from "../../src/writer/text-blocks.js";

it("gives back the bytes of all pieces in order, once", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("é".repeat(40_000), "x".repeat(70_000)),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const blocks = new TextBlocks();
      for (const each of pieces) blocks.add(each);
      expect(blocks.take().toString()).toBe(pieces.map((piece) => Buffer.from(piece).toString()).join(""));
      expect(blocks.take()).toHaveLength(0);
      expect(blocks.bytes).toBe(0);
    }),
  );
});

it("holds more than one string of the engine can", () => {
  const blocks = new TextBlocks();
  const piece = "x".repeat(200_000_000);
  for (let count = 0; count < 3; count++) blocks.add(piece);
  expect(blocks.bytes).toBeGreaterThanOrEqual(600_000_000);
});
