import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextPiece, type TextPiece } from "../../src/worker/text-piece.js";

const upTo =
  (length: number) =>
  (part: string): boolean =>
    part.length <= length;

function pieces(text: string, length: number): TextPiece[] {
  const all: TextPiece[] = [];
  for (let from = 0; ;) {
    const piece = nextPiece(text, from, upTo(length));
    all.push(piece);
    if (piece.isLast) return all;
    from = piece.end;
  }
}

const texts = (text: string, length: number): string[] => pieces(text, length).map((piece) => piece.text);

describe("a text in pieces", () => {
  it.each([
    ["paragraphs", "One two. Three.\n\nFour five. Six.", 20, ["One two. Three.", "Four five. Six."]],
    ["lines", "one two three\nfour five six", 18, ["one two three", "four five six"]],
    ["sentences", 'He said "no." She left. It rained.', 25, ['He said "no." She left.', "It rained."]],
    [
      "Chinese sentences",
      "今天下雨。他没有来！我们等了很久，",
      12,
      ["今天下雨。他没有来！", "我们等了很久，"],
    ],
    ["clauses", "when it rains, we stay in", 20, ["when it rains,", "we stay in"]],
    ["words", "alpha beta gamma", 12, ["alpha beta", "gamma"]],
    ["characters, when there is nothing else", "abcdefgh", 3, ["abc", "def", "gh"]],
    ["characters, but never within one", "😀😀😀", 3, ["😀", "😀", "😀"]],
  ])("is parted between %s", (_, text, length, expected) => {
    expect(texts(text, length)).toEqual(expected);
  });

  it("prefers a worse boundary to a piece that is nearly empty", () => {
    expect(texts(`Hi.\n\n${"word ".repeat(20)}`.trim(), 50)[0]).toHaveLength(49);
  });

  it("is the same text again when joined, and each piece fits", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b", " ", "\n", ".", "。", ",", "語", "😀"),
      maxLength: 200,
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 40 }), (source, length) => {
        const parts = pieces(source, length);
        expect(parts.map(({ gap, text: piece }) => gap + piece).join("")).toBe(
          source.trimEnd() === "" ? source : source.trimEnd(),
        );
        for (const { text: piece } of parts) expect(piece.length).toBeLessThanOrEqual(length);
        for (const { text: piece } of parts.slice(0, -1)) expect(piece.trim()).not.toBe("");
      }),
    );
  });
});
