import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineBuffer } from "../../src/writer/line-buffer.js";

/** Up to a million bytes a line, so that the buffer has to grow. */
const line = fc
  .tuple(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20_000 }))
  .map(([text, times]) => text.repeat(times));

describe("lines gathered as bytes", () => {
  it("are those of the texts, also after it was cleared", () => {
    const buffer = new LineBuffer();
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
        buffer.clear();
        const lengths = lines.map((text) => buffer.add(text));
        const whole = Buffer.from(lines.map((text) => `${text}\n`).join(""));
        expect(buffer.bytes.equals(whole)).toBe(true);
        expect(buffer.length).toBe(whole.length);
        expect(lengths).toEqual(lines.map((text) => Buffer.byteLength(text)));
      }),
      { numRuns: 50 },
    );
  });
});
