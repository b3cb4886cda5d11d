import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formulaSafe } from "../../src/writer/formula-safe.js";

describe("A cell that a spreadsheet would compute", () => {
  it.each([
    "=1+1",
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "-",
    "=",
    "+",
    "-abc",
    "+49 (0)30",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    "﹦1+1",
    "\n=1+1",
    "\v=1",
  ])("gets an apostrophe: %j", (cell) => expect(formulaSafe(cell)).toBe(`'${cell}`));

  it.each([
    "",
    "text",
    "-5",
    "+5",
    "-1.5",
    "-1,234.5",
    "+1e-9",
    "-0.5%",
    "-.5",
    "a=b",
    " =1",
    "'=1",
    "5-3",
    "1@2",
    "Colours:\n- red\n+ blue\n-5\n---\n@ noon\n@anna\n== end ==",
    "a\n =1",
  ])("stays as it is when it computes nothing: %j", (cell) => expect(formulaSafe(cell)).toBe(cell));

  it.each([
    ["Note\n=1+1", "Note\n'=1+1"],
    ["Note\r\n=1+1\r\n=2", "Note\r\n'=1+1\r\n'=2"],
    ["Note\r＝1", "Note\r'＝1"],
    ["a\n@SUM(A1)\n+cmd|'/C calc'!A0\n-Sheet1!A1", "a\n'@SUM(A1)\n'+cmd|'/C calc'!A0\n'-Sheet1!A1"],
    ["=1\n=2", "'=1\n'=2"],
  ])("gets an apostrophe behind a line break, too: %j", (cell, safe) => expect(formulaSafe(cell)).toBe(safe));

  it("never begins with =, @, tab or carriage return afterwards, and keeps its text", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom("", "=", "+", "-", "@", "\t", "\r"), (text, start) => {
        const safe = formulaSafe(start + text);
        expect(safe).not.toMatch(/^[=@＝＠\t\r\n]/);
        expect([start + text, `'${start}${text}`]).toContain(safe);
      }),
    );
  });
});
