import { parse } from "csv-parse/sync";
import { UsageError } from "../errors.js";

/** One line of a provider's bill. Fields that the bill does not have are null. */
export interface BillRow {
  /** 1-based line of the file. */
  readonly line: number;
  /** yyyy-mm-dd */
  readonly day: string;
  readonly model: string;
  readonly amount: number | null;
  readonly currency: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
}

type Field = Exclude<keyof BillRow, "line">;

/**
 * Names under which bills are known to give a field, compared in small letters without blanks, signs and
 * what stands in brackets. The first column that matches is taken.
 */
const COLUMN_NAMES: Readonly<Record<Field, readonly string[]>> = {
  day: [
    "day",
    "date",
    "billingdate",
    "billdate",
    "usagedate",
    "consumedate",
    "consumetime",
    "billingtime",
    "日期",
    "账单日期",
    "消费时间",
    "账期",
    "计费日期",
  ],
  model: ["model", "modelname", "modelid", "模型", "模型名称"],
  amount: [
    "amount",
    "cost",
    "charge",
    "price",
    "total",
    "pretaxamount",
    "amountdue",
    "payableamount",
    "fee",
    "金额",
    "应付金额",
    "费用",
    "消费金额",
  ],
  currency: ["currency", "currencycode", "币种", "货币"],
  inputTokens: ["inputtokens", "prompttokens", "tokensin", "input", "输入tokens", "输入token数"],
  outputTokens: ["outputtokens", "completiontokens", "tokensout", "output", "输出tokens", "输出token数"],
};

/**
 * Reads a bill in CSV (comma, semicolon or tab; a byte order mark is allowed).
 *
 * Columns for day and model are needed, and one of amount, input tokens, output tokens. Days may be
 * `2026-11-22`, `2026/11/22`, `20261122`, each with a time after it, which is ignored; amounts may carry a
 * currency sign and thousands commas. Throws UsageError naming file, line and column.
 */
export function readBill(text: string, file: string): BillRow[] {
  const records = readRecords(text, file);
  const header = records[0]?.cells ?? [];
  const columns = findColumns(header);
  const missing = (["day", "model"] as const).filter((field) => columns[field] === undefined);
  const hasFigures = [columns.amount, columns.inputTokens, columns.outputTokens].some(
    (at) => at !== undefined,
  );
  if (missing.length > 0 || !hasFigures) {
    const wanted = [...missing, ...(hasFigures ? [] : ["amount, input_tokens or output_tokens"])];
    throw new UsageError(
      `${file}: line 1: expected columns for ${wanted.join(" and ")}, received ${header.join(", ") || "nothing"}.`,
      {
        code: "invalid_bill",
        hint: "Rename the bill's columns to day, model, amount, currency, input_tokens, output_tokens.",
      },
    );
  }
  return records.slice(1).map(({ cells, line }) => {
    const cell = (field: Field): string =>
      columns[field] === undefined ? "" : (cells[columns[field]] ?? "").trim();
    const read = (field: "amount" | "inputTokens" | "outputTokens"): number | null =>
      cell(field) === ""
        ? null
        : readNumber(cell(field), { file, line, column: header[columns[field] ?? -1] ?? field });
    return {
      line,
      day: readDay(cell("day"), { file, line, column: header[columns.day ?? -1] ?? "day" }),
      model: cell("model"),
      amount: read("amount"),
      currency: currencyOf(cell("currency"), cell("amount")),
      inputTokens: read("inputTokens"),
      outputTokens: read("outputTokens"),
    };
  });
}

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: string;
}

function readRecords(text: string, file: string): { cells: string[]; line: number }[] {
  try {
    const rows: unknown = parse(text, {
      bom: true,
      delimiter: [",", ";", "\t"],
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    });
    return (rows as { record: string[]; info: { lines: number } }[]).map(({ record, info }) => ({
      cells: record,
      line: info.lines,
    }));
  } catch (cause) {
    throw new UsageError(
      `${file}: not readable as CSV: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        code: "invalid_bill",
        hint: "Export the bill as CSV with a header line.",
        cause,
      },
    );
  }
}

function findColumns(header: readonly string[]): Partial<Record<Field, number>> {
  const plain = header.map((name) => name.toLowerCase().replaceAll(/\(.*?\)|（.*?）|[\s_\-./]/g, ""));
  const columns: Partial<Record<Field, number>> = {};
  for (const field of Object.keys(COLUMN_NAMES) as Field[]) {
    const at = plain.findIndex((name) => COLUMN_NAMES[field].includes(name));
    if (at >= 0) columns[field] = at;
  }
  return columns;
}

function readDay(text: string, place: Place): string {
  const match = /^(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})(?:\D|$)/.exec(text);
  const day = match ? `${match[1]}-${match[2]?.padStart(2, "0")}-${match[3]?.padStart(2, "0")}` : "";
  const time = Date.parse(`${day}T00:00:00Z`);
  if (match && !Number.isNaN(time) && new Date(time).toISOString().startsWith(day)) return day;
  throw invalidCell("a day such as 2026-11-22", text, place);
}

function readNumber(text: string, place: Place): number {
  const digits = text.replaceAll(/[A-Za-z$¥￥€£\s,]/g, "");
  const value = Number(digits);
  if (digits !== "" && Number.isFinite(value)) return value;
  throw invalidCell("a number", text, place);
}

function currencyOf(cell: string, amount: string): string | null {
  const code = /[A-Z]{3}/.exec(cell.toUpperCase())?.[0] ?? /[A-Z]{3}/.exec(amount.toUpperCase())?.[0];
  if (code) return code;
  if (amount.includes("$")) return "USD";
  return /[¥￥]/.test(amount) ? "CNY" : null;
}

function invalidCell(expected: string, received: string, { file, line, column }: Place): UsageError {
  return new UsageError(
    `${file}: line ${line}, column ${column}: expected ${expected}, received ${JSON.stringify(received)}.`,
    {
      code: "invalid_bill",
      hint: "Correct the cell, or leave lines out that are not about a model and a day.",
    },
  );
}
