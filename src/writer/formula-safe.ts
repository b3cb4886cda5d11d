/** What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"). */
const FORMULA_START = /^[=+\-@\t\r]/;
/** A number as people and programs write it: it is no formula, whatever sign it begins with. */
const NUMBER = /^[+-]?(\d{1,3}([, ]\d{3})+|\d+)?([.,]\d+)?([eE][+-]?\d+)?%?$/;

/**
 * Makes sure that a spreadsheet shows a cell as text instead of computing it: an apostrophe is put before
 * what looks like a formula. Numbers stay as they are.
 */
export function formulaSafe(cell: string): string {
  if (!FORMULA_START.test(cell)) return cell;
  return NUMBER.test(cell) && /\d/.test(cell) ? cell : `'${cell}`;
}
