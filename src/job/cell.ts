import { describeValue } from "../config/problems.js";
import { cellNamed } from "../input/look-alike.js";
import type { InputRow } from "../input/row.js";
import { numberOf } from "../json/source-number.js";
import { inRange } from "./number-range.js";
import type { NumberRange } from "./number-range.js";
import { RowProblem } from "./row-problem.js";

/** A row's value, or undefined when there is none: absent, null, or an empty or blank text. */
export function givenValue(row: InputRow, column: string): unknown {
  const value = cellNamed(row.values, column);
  if (value === null || value === undefined) return undefined;
  return typeof value === "string" && value.trim() === "" ? undefined : value;
}

/** A number in its range, written as a number or as text ("0.7"); undefined when not given. */
export function numberCell(row: InputRow, column: string, range: NumberRange): number | undefined {
  const value = givenValue(row, column);
  if (value === undefined) return undefined;
  const parsed = typeof value === "string" ? parseNumber(value) : numberOf(value);
  if (parsed === null || !inRange(range, parsed)) throw malformedCell(row, column, range.expected, value);
  return parsed;
}

/** A name (of a preset, of a model), trimmed; undefined when not given. */
export function nameCell(row: InputRow, column: string, expected: string): string | undefined {
  const value = givenValue(row, column);
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !/^\S{1,200}$/.test(value.trim())) {
    throw malformedCell(row, column, expected, value);
  }
  return value.trim();
}

/** Text as it is, also when blank; undefined when absent or null. */
export function textCell(row: InputRow, column: string): string | undefined {
  const value = cellNamed(row.values, column);
  if (value === null || value === undefined) return undefined;
  if (typeof value !== "string") throw malformedCell(row, column, "text", value);
  return value;
}

/** The problem of a value that is not what its column takes. */
export function malformedCell(
  row: InputRow,
  column: string,
  expected: string,
  received: unknown,
): RowProblem {
  return new RowProblem(row, `column ${column}: expected ${expected}, received ${describeValue(received)}`, {
    code: "invalid_value",
    column,
  });
}

function parseNumber(text: string): number | null {
  const trimmed = text.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : null;
}
