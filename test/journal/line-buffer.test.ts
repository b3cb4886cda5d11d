import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHECKSUM_BYTES, isSealed, unsealedText } from "../../src/journal/checksum.js";
import { LineBuffer } from "../../src/journal/line-buffer.js";

/** Texts of up to a million bytes, so that the buffer has to grow. */
const object = fc
  .tuple(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20_000 }))
  .map(([text, times]) => JSON.stringify({ text: text.repeat(times) }));

describe("lines gathered as bytes", () => {
  it("are the objects with their checksums, also after the buffer was cleared", () => {
    const buffer = new LineBuffer();
    fc.assert(
      fc.property(fc.array(object, { maxLength: 6 }), (objects) => {
        buffer.clear();
        const lengths = objects.map((text) => buffer.add(text));
        const lines = buffer.bytes.toString("utf8").split("\n");
        expect(lines.pop()).toBe("");
        expect(lines.every((line) => isSealed(Buffer.from(line)))).toBe(true);
        expect(lines.map((line) => unsealedText(Buffer.from(line)))).toEqual(objects);
        expect(lengths).toEqual(objects.map((text) => Buffer.byteLength(text) - 1 + CHECKSUM_BYTES));
        for (const line of lines) expect(JSON.parse(line)).toHaveProperty("crc");
      }),
      { numRuns: 50 },
    );
  });

  it("are refused when any byte of them is another, and left as they were", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 30 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (text, at, change) => {
          const buffer = new LineBuffer();
          buffer.add(JSON.stringify({ text }));
          const line = Buffer.from(buffer.bytes.subarray(0, -1));
          const whole = Buffer.from(line);
          expect(isSealed(line)).toBe(true);
          expect(unsealedText(line)).toBe(JSON.stringify({ text }));
          expect(line.equals(whole)).toBe(true);
          line[at % line.length] = (line[at % line.length] ?? 0) ^ change;
          expect(isSealed(line)).toBe(false);
        },
      ),
    );
  });
});
