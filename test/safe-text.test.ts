import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskKey } from "../src/provider/index.js";
import { safeText } from "../src/provider/redact.js";
import { printable } from "../src/safe-text.js";

/** What a terminal would act on, written as numbers so that no editor shows it. */
const ACTING = [0x00, 0x07, 0x08, 0x0a, 0x0d, 0x1b, 0x7f, 0x85, 0x9b, 0x9d, 0x2028, 0x202e, 0x2066, 0x2069];

describe("text from outside, printed", () => {
  it.each(ACTING)("loses U+%i and nothing else", (code) => {
    expect(printable(`left${String.fromCharCode(code)}right`)).toBe("left\ufffdright");
  });

  it("keeps every script, emoji and their joiners", () => {
    const text = "naïve 模型 עברית عربي हिन्दी 👩‍💻 ﬁ – \u00a0„“";
    expect(printable(text)).toBe(text);
  });

  it("never holds what a terminal acts on, whatever it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        for (const character of printable(text)) {
          const code = character.codePointAt(0) ?? 0;
          expect(code >= 0x20 && !(code >= 0x7f && code <= 0x9f)).toBe(true);
          expect(ACTING).not.toContain(code);
        }
      }),
    );
  });

  it("is on one line, without the key and without halves of a character where it was cut", () => {
    const key = "sk-0123456789abcdef";
    const said = safeText(`\u001b[2J key ${key}\r\n  \u009b31m`, key);
    expect(said).toBe(`\ufffd[2J key ${maskKey(key)} \ufffd31m`);
    expect(safeText("🤔".repeat(20), null, 10)).not.toMatch(/\p{Cs}/u);
  });
});
