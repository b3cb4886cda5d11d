import { keyOrder, setKeyOrder } from "../json/source-number.js";

/**
 * The values of a row by column name.
 *
 * Its prototype chain is empty, so that a column named `constructor` or `__proto__` is a column like any
 * other and a missing one is undefined. A class rather than `Object.create(null)`, whose objects are
 * hash tables to the engine: several times larger and slower for a million rows of one shape.
 */
export class RowValues {
  [column: string]: unknown;
}
Object.setPrototypeOf(RowValues.prototype, null);
Reflect.deleteProperty(RowValues.prototype, "constructor");

/**
 * CSV cells by column. Cells beyond the columns are left out; missing ones stay absent. `isReordered`: some
 * columns are named like list positions, which JavaScript puts first.
 */
export function valuesOfCells(
  columns: readonly string[],
  cells: readonly string[],
  isReordered = false,
): RowValues {
  const values = new RowValues();
  const count = Math.min(columns.length, cells.length);
  for (let index = 0; index < count; index++) values[columns[index] as string] = cells[index];
  if (isReordered) setKeyOrder(values, columns.slice(0, count));
  return values;
}

/** A parsed JSON object's own properties, in the order of its text. */
export function valuesOfObject(object: object): RowValues {
  const values = new RowValues();
  for (const [key, value] of Object.entries(object)) values[key] = value;
  const order = keyOrder(object);
  if (order !== undefined) setKeyOrder(values, order);
  return values;
}
