import { isCut } from "../provider/index.js";
import type { InputRow } from "../input/row.js";
import type { OutputOptions } from "../job/resolved-job.js";
import { jsonText } from "../json/json-text.js";
import { keysOf } from "../json/source-number.js";
import type { Result } from "../types.js";
import { writeFileAtomically, type Append } from "./atomic-file.js";
import { csvCells } from "./csv-record.js";
import { formulaSafe } from "./formula-safe.js";
import { JournalReader } from "../journal/journal-reader.js";
import type { RowTable } from "../protocol/row-table.js";
import { TextBlocks } from "./text-blocks.js";

/** Bytes of one file that are written at once, a row's own aside. */
const WRITTEN_BYTES = 4 * 1024 * 1024;
/** Characters that Excel keeps of a cell. */
const EXCEL_CELL = 32_767;
const BYTE_ORDER_MARK = "\uFEFF";

/** A column that the model's answers fill, and how a cell of it is made. */
export interface AnswerColumn {
  readonly name: string;
  /** undefined: the row has no answer for this column. */
  readonly value: (result: Result) => unknown;
}

export interface ResultFilesOptions {
  /** Folder of the run. */
  readonly directory: string;
  readonly index: RowTable;
  /** Every row of the run, in input order. */
  readonly batches: AsyncIterable<readonly InputRow[]>;
  readonly endRow: number;
  /** The input's columns, in their order. */
  readonly columns: readonly string[];
  readonly answers: readonly AnswerColumn[];
  readonly output: OutputOptions;
  /** Between the cells of a CSV. */
  readonly delimiter: string;
  readonly resultsPath: string;
  readonly errorsPath: string;
  /**
   * Asked before each batch of rows, by the last of them; until all are written the files stand at their
   * `partialPath`. Absent: all is written at once.
   */
  readonly gate?: (lastRow: number) => Promise<void>;
}

/** What was met while result files were written. */
export interface ResultCounts {
  failed: number;
  /** Answers that ended at their token limit. */
  truncated: number;
  /** Cells of a CSV for Excel that are longer than Excel takes. */
  overlong: number;
}

/** Where a result file is written that its rows are still being settled for. */
export function partialPath(path: string): string {
  return `${path}.partial`;
}

/** Names of the two columns behind the answer; a name that the input uses already is prefixed. */
export function statusColumns(columns: readonly string[]): { status: string; error: string } {
  const free = (name: string): string => (columns.includes(name) ? free(`promptmill_${name}`) : name);
  return { status: free("status"), error: free("error") };
}

/**
 * Derives the result files from input and journal: every row in input order with its columns unchanged,
 * then the answer, then `status` and `error`. A row that is not settled yet stands there with the status `pending`.
 */
export async function writeResultFiles(options: ResultFilesOptions): Promise<ResultCounts> {
  const temporary = (path: string): string | undefined =>
    options.gate === undefined ? undefined : partialPath(path);
  const counts: ResultCounts = { failed: 0, truncated: 0, overlong: 0 };
  const reader = new JournalReader(options.directory, options.index);
  const writeBoth = async (appendError: Append, appendResult: Append): Promise<void> => {
    for await (const { results, errors } of fileBlocks(options, reader, counts)) {
      if (results.length > 0) await appendResult(results);
      if (errors.length > 0) await appendError(errors);
    }
  };
  try {
    await writeFileAtomically(
      options.errorsPath,
      (appendError) =>
        writeFileAtomically(
          options.resultsPath,
          (appendResult) => writeBoth(appendError, appendResult),
          temporary(options.resultsPath),
        ),
      temporary(options.errorsPath),
    );
  } finally {
    await reader.close();
  }
  return counts;
}

/** What goes into both files, a batch of rows or some megabytes at a time. */
async function* fileBlocks(
  options: ResultFilesOptions,
  reader: JournalReader,
  counts: ResultCounts,
): AsyncGenerator<{ results: Buffer; errors: Buffer }> {
  const { index, endRow, gate, output } = options;
  const results = new TextBlocks();
  const errors = new TextBlocks();
  const writeRow =
    output.format === "csv" ? csvWriter(options, results, counts) : jsonlWriter(options, results);
  // Rows after the last one are read as well: what is read to its end is known to be the input of the run.
  for await (const batch of options.batches) {
    const rows = batch.filter(({ rowIndex }) => rowIndex < endRow);
    const last = rows.at(-1);
    if (last === undefined) continue;
    await gate?.(last.rowIndex);
    for (const row of rows) {
      const result = index.isSettled(row.rowIndex) ? await reader.read(row.rowIndex) : null;
      writeRow(row, result);
      if (result?.status === "succeeded" && isCut(result.output.finishReason)) counts.truncated++;
      if (result?.status === "failed") {
        counts.failed++;
        for (const piece of errorLine(row, result)) errors.add(piece);
      }
      if (results.bytes + errors.bytes > WRITTEN_BYTES)
        yield { results: results.take(), errors: errors.take() };
    }
    yield { results: results.take(), errors: errors.take() };
  }
  yield { results: results.take(), errors: errors.take() };
}

/** Writes a row; null: it is not settled yet. */
type WriteRow = (row: InputRow, result: Result | null) => void;

function csvWriter(options: ResultFilesOptions, file: TextBlocks, counts: ResultCounts): WriteRow {
  const { columns, answers, output, delimiter } = options;
  const names = statusColumns([...columns, ...answers.map((answer) => answer.name)]);
  const lineBreak = output.excel ? "\r\n" : "\n";
  const quoted = csvCells(delimiter);
  const cell = (text: string, after: string): void => {
    if (output.excel && text.length > EXCEL_CELL) counts.overlong++;
    file.add(quoted(text) + after);
  };
  const written = (value: unknown): string =>
    output.formulaSafe ? formulaSafe(cellText(value)) : cellText(value);
  if (output.excel) file.add(BYTE_ORDER_MARK);
  for (const name of [...columns, ...answers.map((answer) => answer.name), names.status])
    cell(name, delimiter);
  cell(names.error, lineBreak);
  return ({ values }, result) => {
    for (const column of columns) cell(cellText(values[column]), delimiter);
    for (const answer of answers) cell(result === null ? "" : written(answer.value(result)), delimiter);
    cell(result?.status ?? "pending", delimiter);
    cell(
      result?.status === "failed" ? written(`${result.error.code}: ${result.error.message}`) : "",
      lineBreak,
    );
  };
}

function jsonlWriter({ columns, answers }: ResultFilesOptions, file: TextBlocks): WriteRow {
  const names = statusColumns([...columns, ...answers.map((answer) => answer.name)]);
  const keyTexts = new Map<string, string>();
  const add = (key: string, value: unknown): void => {
    let keyText = keyTexts.get(key);
    if (keyText === undefined) keyTexts.set(key, (keyText = `${JSON.stringify(key)}:`));
    file.add(`${keyText}${jsonText(value)},`);
  };
  return ({ values }, result) => {
    file.add("{");
    for (const key of keysOf(values)) add(key, values[key]);
    for (const answer of answers) add(answer.name, (result === null ? null : answer.value(result)) ?? null);
    add(names.status, result?.status ?? "pending");
    file.add(
      `${JSON.stringify(names.error)}:${jsonText(result?.status === "failed" ? result.error : null)}}\n`,
    );
  };
}

/** JSONL inputs hold values of any kind; a cell of a CSV is text. */
function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : jsonText(value);
}

function errorLine({ values }: InputRow, result: Result): readonly string[] {
  return [JSON.stringify(result).slice(0, -1), ',"input":', jsonText(values), "}\n"];
}
