import type { UsageError } from "../errors.js";
import type { InputOptions } from "../job/resolved-job.js";
import { jsonText } from "../json/json-text.js";
import { customIdOf, idText } from "./custom-id.js";
import type { InputDescription } from "./describe.js";
import { IdIndex } from "./id-index.js";
import { inputError, place } from "./input-error.js";
import { cellNamed } from "./look-alike.js";
import { readRows } from "./read-rows.js";
import type { InputRow } from "./row.js";
import { shownText } from "./unsafe-text.js";

/**
 * Refuses ids that stand twice, and empty ones where an id is `required`, in bounded memory per row. Rows come
 * in order, each once. A row without an optional id has its number as id.
 */
export class IdCheck {
  constructor(
    private readonly column: string | readonly string[],
    private readonly description: InputDescription,
    private readonly options: InputOptions,
    private readonly required = true,
    private readonly seen = new IdIndex(),
  ) {}

  /** Returns a promise only when an earlier row's id may be the same, to keep a million rows synchronous. */
  check(row: InputRow): Promise<void> | undefined {
    const { column } = this;
    const isRequired = this.required && typeof column === "string";
    const id = isRequired ? idText(cellNamed(row.values, column)) : customIdOf(row, column);
    if (id === null) throw badId(place(this.description.path, row.line), String(column), row);
    const suspects = this.seen.add(id, row.rowIndex);
    return suspects.length === 0 ? undefined : this.compare(id, row, suspects);
  }

  /** Equal hashes are not equal ids: what counts is what the file says. */
  private async compare(id: string, row: InputRow, suspects: readonly number[]): Promise<void> {
    for (const suspect of suspects) {
      const earlier = await this.rowAt(suspect);
      if (earlier !== null && customIdOf(earlier, this.column) === id) {
        throw duplicateId(
          place(this.description.path, row.line),
          [this.column].flat().join(" or "),
          id,
          earlier,
        );
      }
    }
  }

  private async rowAt(rowIndex: number): Promise<InputRow | null> {
    for await (const batch of readRows(this.description, this.options, { afterRow: rowIndex - 1 })) {
      return batch[0] ?? null;
    }
    return null;
  }
}

function badId(where: string, column: string, row: InputRow): UsageError {
  const value = cellNamed(row.values, column);
  const name = shownText(column);
  const received =
    value === undefined || value === ""
      ? ""
      : `; received ${typeof value === "string" ? shownText(value) : jsonText(value).slice(0, 100)}`;
  const isEmpty = value === undefined || value === null || typeof value === "string";
  return inputError(
    isEmpty ? "id_empty" : "id_not_text",
    isEmpty
      ? `${where}: the id column ${name} is empty${received}.`
      : `${where}: the id column ${name} must hold text or a number${received}.`,
    "Give every row an id of its own, or leave `input.id` out to number the rows.",
  );
}

function duplicateId(where: string, column: string, id: string, earlier: InputRow): UsageError {
  return inputError(
    "id_duplicate",
    `${where}: the id ${shownText(id)} in column ${shownText(column)} already stands on line ${String(earlier.line)}.`,
    "Make the ids unique, choose another column for `input.id`, or leave it out to number the rows.",
  );
}
