import { SourceNumber } from "../json/source-number.js";
import { cellNamed } from "./look-alike.js";
import type { InputRow } from "./row.js";

/**
 * The text of an id value: a string that is not blank as it is, a finite number as its text has it, else null.
 *
 * Ids are not trimmed: `a` and `a ` are two ids.
 */
export function idText(value: unknown): string | null {
  if (typeof value === "string") return value.trim() === "" ? null : value;
  return typeof value === "number" || value instanceof SourceNumber ? value.toString() : null;
}

/** Where prompt rows have their ids when a job names no column: ours, else that of an OpenAI batch file. */
export const PROMPT_ROW_IDS = ["id", "custom_id"] as const;

/** The column of ids, several of which the first that has one counts, or null: rows are numbered. */
export type IdColumn = string | readonly string[] | null;

/**
 * A row's customId: the text of its id column, or the row number when there is no id column.
 *
 * `scanInput` has made sure that readable rows have unique ids. A row marked with a `problem` may have no
 * readable id; it falls back to the row number.
 */
export function customIdOf(row: InputRow, idColumn: IdColumn): string {
  if (typeof idColumn === "string") return idText(cellNamed(row.values, idColumn)) ?? String(row.rowIndex);
  for (const column of idColumn ?? []) {
    const id = idText(cellNamed(row.values, column));
    if (id !== null) return id;
  }
  return String(row.rowIndex);
}
