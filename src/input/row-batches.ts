import type { InputRow } from "./row.js";

/** Rows per batch that readers yield, at most. */
const BATCH_ROWS = 500;

/** How a format's reader is to treat the records of one file. */
export interface RowReading {
  readonly path: string;
  /** Mark unreadable records instead of throwing. */
  readonly lenient: boolean;
  /** Leave out rows up to this row index; -1 reads all. */
  readonly afterRow: number;
  /** CSV: records without any value are passed over, and told to `onBlank` with their line. */
  readonly skipsBlank?: boolean;
  readonly onBlank?: ((line: number) => void) | undefined;
}

/** Cuts one chunk's rows into batches; none for no rows. */
export function* batches(rows: InputRow[]): Generator<InputRow[]> {
  if (rows.length <= BATCH_ROWS) {
    if (rows.length > 0) yield rows;
    return;
  }
  for (let from = 0; from < rows.length; from += BATCH_ROWS) yield rows.slice(from, from + BATCH_ROWS);
}
