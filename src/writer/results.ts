import { stringify } from "csv-stringify/sync";
import type { InputRow } from "../input/row.js";
import type { OutputOptions } from "../job/resolved-job.js";
import type { Result } from "../types.js";
import { writeFileAtomically, type Append } from "./atomic-file.js";
import { formulaSafe } from "./formula-safe.js";
import type { JournalIndex } from "./journal-index.js";
import { JournalReader } from "./journal-reader.js";

/** Rows whose answers are in memory at once as text: more outlive a young generation's collection. */
const FORMATTED_ROWS = 50;
const BYTE_ORDER_MARK = "\uFEFF";

/** A column that the model's answers fill, and how a cell of it is made. */
export interface AnswerColumn {
  readonly name: string;
  /** undefined: the row has no answer for this column. */
  readonly value: (result: Result) => unknown;
}

export interface ResultFilesOptions {
  readonly journalPath: string;
  readonly index: JournalIndex;
  /** Every row of the run, in input order. */
  readonly batches: AsyncIterable<readonly InputRow[]>;
  readonly endRow: number;
  /** The input's columns, in their order. */
  readonly columns: readonly string[];
  readonly answers: readonly AnswerColumn[];
  readonly output: OutputOptions;
  readonly resultsPath: string;
  readonly errorsPath: string;
  /**
   * Asked before each batch of rows, by the last of them; until all are written the files stand at their
   * `partialPath`. Absent: all is written at once.
   */
  readonly gate?: (lastRow: number) => Promise<void>;
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
 * then the answer, then `status` and `error`. Returns how many rows failed, and how many
 * answers ended at their token limit.
 *
 * A row that is not settled yet stands there with the status `pending`.
 */
export async function writeResultFiles(
  options: ResultFilesOptions,
): Promise<{ failed: number; truncated: number }> {
  const temporary = (path: string): string | undefined =>
    options.gate === undefined ? undefined : partialPath(path);
  const counts = { failed: 0, truncated: 0 };
  const reader = await JournalReader.open(options.journalPath, options.index);
  const writeBoth = async (appendError: Append, appendResult: Append): Promise<void> => {
    for await (const { results, errors } of fileBlocks(options, reader, counts)) {
      if (results.length > 0) await appendResult(results);
      if (errors !== "") await appendError(errors);
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

/** What goes into both files, a batch of rows at a time. */
async function* fileBlocks(
  options: ResultFilesOptions,
  reader: JournalReader,
  counts: { failed: number; truncated: number },
): AsyncGenerator<{ results: Buffer; errors: string }> {
  const { index, endRow, gate } = options;
  const format = options.output.format === "csv" ? csvFormat(options) : jsonlFormat(options);
  yield { results: Buffer.from(format.head), errors: "" };
  for await (const batch of options.batches) {
    const rows = batch.filter(({ rowIndex }) => rowIndex < endRow);
    const last = rows.at(-1);
    if (last !== undefined) await gate?.(last.rowIndex);
    const lines: Buffer[] = [];
    let settled: SettledRow[] = [];
    let errors = "";
    for (const row of rows) {
      const result = index.isSettled(row.rowIndex) ? await reader.read(row.rowIndex) : null;
      settled.push({ row, result });
      if (settled.length === FORMATTED_ROWS) {
        lines.push(Buffer.from(format.lines(settled)));
        settled = [];
      }
      if (result?.status === "succeeded" && result.output.finishReason === "length") counts.truncated++;
      if (result?.status === "failed") {
        counts.failed++;
        errors += `${errorLine(row, result)}\n`;
      }
    }
    lines.push(Buffer.from(format.lines(settled)));
    yield { results: Buffer.concat(lines), errors };
    if (rows.length < batch.length) return;
  }
}

interface SettledRow {
  readonly row: InputRow;
  /** null: not settled yet. */
  readonly result: Result | null;
}

interface LineFormat {
  readonly head: string;
  lines(rows: readonly SettledRow[]): string;
}

function csvFormat({ columns, answers, output }: ResultFilesOptions): LineFormat {
  const names = statusColumns([...columns, ...answers.map((answer) => answer.name)]);
  const format = { record_delimiter: output.excel ? "\r\n" : "\n" } as const;
  const written = (value: unknown): string =>
    output.formulaSafe ? formulaSafe(cellText(value)) : cellText(value);
  const header = [...columns, ...answers.map((answer) => answer.name), names.status, names.error];
  return {
    head: (output.excel ? BYTE_ORDER_MARK : "") + stringify([header], format),
    lines: (rows) =>
      stringify(
        rows.map(({ row, result }) => [
          ...columns.map((column) => cellText(row.values[column])),
          ...answers.map((answer) => (result === null ? "" : written(answer.value(result)))),
          result?.status ?? "pending",
          result?.status === "failed" ? written(`${result.error.code}: ${result.error.message}`) : "",
        ]),
        format,
      ),
  };
}

function jsonlFormat({ columns, answers }: ResultFilesOptions): LineFormat {
  const names = statusColumns([...columns, ...answers.map((answer) => answer.name)]);
  return {
    head: "",
    lines: (rows) =>
      rows
        .map(({ row, result }) => {
          const record: Record<string, unknown> = Object.assign(Object.create(null) as object, row.values);
          for (const answer of answers)
            record[answer.name] = (result === null ? null : answer.value(result)) ?? null;
          record[names.status] = result?.status ?? "pending";
          record[names.error] = result?.status === "failed" ? result.error : null;
          return `${JSON.stringify(record)}\n`;
        })
        .join(""),
  };
}

/** JSONL inputs hold values of any kind; a cell of a CSV is text. */
function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function errorLine(row: InputRow, result: Result): string {
  return JSON.stringify({ ...result, input: row.values });
}
