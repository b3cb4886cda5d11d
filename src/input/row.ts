import type { RowError } from "../types.js";

/** One input record. CSV cells are strings; JSONL values are what the line holds. */
export interface InputRow {
  /** 0-based, counts records, not lines. */
  readonly rowIndex: number;
  /** 1-based line of the file where the record starts. */
  readonly line: number;
  /** By column name, in the input's order. Has no prototype keys to trip over. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Only when reading leniently: why this record cannot become a request. */
  readonly problem?: RowError;
}
