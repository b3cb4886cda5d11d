/** What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), also in East Asian width. */
const FORMULA_START = /^[=+\-@＝＋－＠﹦﹢﹣﹫\t\v\f\r\n]/;
/**
 * A line within a cell that would be computed if it began a cell, as it does where the file is opened with
 * another delimiter. Lists, rules and signed text are none; a call or a command behind the sign is.
 */
const FORMULA_LINE = /(?<!^)[\r\n](?=[=＝﹦](?![=\s])|[+\-@＋－＠﹢﹣﹫][\p{L}\p{N}_.]*[(!|])/gu;
/** A number as people and programs write it: it is no formula, whatever sign it begins with. */
const NUMBER = /^[+-]?(\d{1,3}([, ]\d{3})+|\d+)?([.,]\d+)?([eE][+-]?\d+)?%?$/;

/**
 * Makes sure that a spreadsheet shows a cell as text instead of computing it: an apostrophe is put before
 * what looks like a formula, also behind a line break. Numbers stay as they are.
 */
export function formulaSafe(cell: string): string {
  const lines = /[\r\n]/.test(cell) ? cell.replace(FORMULA_LINE, "$&'") : cell;
  if (!FORMULA_START.test(lines)) return lines;
  return NUMBER.test(lines) && /\d/.test(lines) ? lines : `'${lines}`;
}
