import type { CsvError } from "csv-parse";
import { UsageError } from "../errors.js";
import type { CsvHead } from "./csv-head.js";
import { inputError, place } from "./input-error.js";
import { printable, shownText } from "./unsafe-text.js";

const LENIENT = "or run with `--lenient`, which marks such rows failed and goes on";

const ROW_NAMES =
  " If each row begins with a name or number that has no column, write the file without it: in R with `row.names=FALSE`, in pandas with `index=False`.";

export function cellCountText(where: string, received: number, expected: number): string {
  return `${where}: ${String(received)} cell${received === 1 ? "" : "s"} where the header has ${String(expected)} columns.`;
}

/** A record with too many or too few cells, in strict reading. `where` names file and line. */
export function cellCountFailure(where: string, received: number, head: CsvHead): UsageError {
  const delimiter = head.delimiter === "\t" ? "a tab" : `\`${head.delimiter}\``;
  if (received > head.columns.length && received <= head.width) return namelessCellFailure(where, head);
  const columns = head.columns.slice(0, 8).join(", ") + (head.columns.length > 8 ? ", …" : "");
  return inputError(
    "cell_count",
    cellCountText(where, received, head.columns.length),
    received > head.columns.length
      ? `Put cells that hold ${delimiter} or a line break in double quotes, ${LENIENT}. Columns: ${columns}.${received === head.columns.length + 1 ? ROW_NAMES : ""}`
      : `Add the missing cells (delimiter: ${delimiter}), ${LENIENT}. Columns: ${columns}.`,
  );
}

/** A value behind the last column that has a name. */
function namelessCellFailure(where: string, head: CsvHead): UsageError {
  return inputError(
    "cell_count",
    `${where}: a value stands behind the last column, ${shownText(head.columns.at(-1) ?? "")}, in one that has no name.`,
    `Name the column in the header or empty it, ${LENIENT}.`,
  );
}

/** A quote that stands where none may; only in strict reading. */
export function strayQuoteFailure(path: string, line: number, error: CsvError): UsageError {
  const afterClosing = error.code === "CSV_INVALID_CLOSING_QUOTE";
  return inputError(
    "stray_quote",
    afterClosing
      ? `${place(path, line)}: text follows the closing quote of a cell.`
      : `${place(path, line)}: a quote stands in the middle of a cell that does not start with one.`,
    `Put the cell in double quotes and double the quotes in it ("5"" disk"), or run with \`--lenient\`, which takes such quotes as text. An earlier quote that is not closed shows here, too.`,
    error,
  );
}

/** A quote that the rest of the file does not close. `quoteLine` is where it opens. */
export class UnclosedQuote extends UsageError {
  constructor(
    path: string,
    /** Where the record starts that the quote is in. */
    readonly recordLine: number,
    quoteLine: number,
  ) {
    super(`${printable(place(path, quoteLine))}: a quote opens here and is never closed.`, {
      code: "unclosed_quote",
      hint: `Close it on that line, or double it ("") if it is part of the text.`,
    });
  }
}
