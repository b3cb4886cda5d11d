import { isListPosition } from "../json/source-number.js";
import type { RowError } from "../types.js";
import { cellCountFailure, cellCountText } from "./csv-failures.js";
import type { CsvHead } from "./csv-head.js";
import { place, rowProblem } from "./input-error.js";
import type { InputRow } from "./row.js";
import type { RowReading } from "./row-batches.js";
import { RowValues, valuesOfCells } from "./row-values.js";

/**
 * Makes rows of a CSV's records, which come in order, whoever split them.
 *
 * Numbers them from `rowIndex` on, holds them to the header's number of cells, leaves out those up to
 * `afterRow`. Rows are kept until `taken` hands them out.
 */
export class RecordRows {
  private rows: InputRow[] = [];
  private readonly isReordered: boolean;
  private readonly skipsBlank: boolean;

  constructor(
    private readonly head: CsvHead,
    private readonly reading: RowReading,
    private rowIndex: number,
  ) {
    this.isReordered = head.columns.some(isListPosition);
    this.skipsBlank = skipsBlankRecords(head, reading);
  }

  /** `line` is where the record starts. Throws UsageError for a wrong number of cells, unless lenient. */
  take(cells: string[], line: number): void {
    const { columns } = this.head;
    if (this.skipsBlank && cells.every(isBlank)) {
      this.reading.onBlank?.(line);
      return;
    }
    if (cells.length === columns.length || this.endsBlank(cells)) {
      if (this.rowIndex > this.reading.afterRow)
        this.push(line, valuesOfCells(columns, cells, this.isReordered));
      else this.rowIndex++;
      return;
    }
    const where = place(this.reading.path, line);
    if (!this.reading.lenient) throw cellCountFailure(where, cells.length, this.head);
    const marked = rowProblem("cell_count", cellCountText(where, cells.length, columns.length));
    this.push(line, valuesOfCells(columns, cells, this.isReordered), marked);
  }

  /** Whether only cells without a value stand behind the last column that has a name. */
  private endsBlank(cells: readonly string[]): boolean {
    const { columns, width } = this.head;
    return (
      cells.length > columns.length && cells.length <= width && cells.slice(columns.length).every(isBlank)
    );
  }

  /** A record without cells that could be read. */
  takeMarked(line: number, problem: RowError): void {
    this.push(line, new RowValues(), problem);
  }

  /** The rows since the last call. */
  taken(): InputRow[] {
    const { rows } = this;
    this.rows = [];
    return rows;
  }

  private push(line: number, values: RowValues, problem?: RowError): void {
    const rowIndex = this.rowIndex++;
    if (rowIndex <= this.reading.afterRow) return;
    this.rows.push(problem === undefined ? { rowIndex, line, values } : { rowIndex, line, values, problem });
  }
}

/** Whether records without any value are passed over: in a file of one column they are rows on purpose. */
export function skipsBlankRecords(head: CsvHead, reading: RowReading): boolean {
  return reading.skipsBlank === true && head.width > 1;
}

function isBlank(cell: string): boolean {
  return cell === "" || /^[ \t]+$/.test(cell);
}
