import type { InputRow } from "../input/row.js";
import { printable } from "../input/unsafe-text.js";
import type { RowError } from "../types.js";

export interface RowProblemDetails {
  code: string;
  /** The input column at fault. */
  column?: string;
  templateLine?: number;
  cause?: unknown;
}

/**
 * One row that cannot become a request. Strict reading turns it into a UsageError, lenient reading into a
 * failed row. `message` names the row, its line and what was expected.
 */
export class RowProblem extends Error {
  readonly code: string;
  /** 0-based. */
  readonly rowIndex: number;
  /** 1-based line of the input on which the row starts. */
  readonly line: number;
  readonly column: string | null;
  /** 1-based line of the job file (or of the template, for jobs in code); null when no template is at fault. */
  readonly templateLine: number | null;

  constructor(row: InputRow, problem: string, details: RowProblemDetails) {
    super(
      printable(`row ${row.rowIndex + 1} (line ${row.line}): ${problem}`),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = "RowProblem";
    this.code = details.code;
    this.rowIndex = row.rowIndex;
    this.line = row.line;
    this.column = details.column ?? null;
    this.templateLine = details.templateLine ?? null;
  }

  /** The problem as a failed row's error. */
  toRowError(): RowError {
    return { kind: "input", code: this.code, message: this.message, httpStatus: null };
  }
}
