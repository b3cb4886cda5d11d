import { basename, extname } from "node:path";
import { UsageError } from "../errors.js";
import { scanInput, WrongEncoding, type InputSummary } from "../input/index.js";
import { formatByName } from "../input/sniff.js";
import { inputError } from "../input/input-error.js";
import { arePromptColumns } from "../job/index.js";
import type { InputOptions } from "../job/resolved-job.js";
import { ColumnGuess, type LanguageColumns } from "./column-guess.js";

/** What a starter job is made of: how the input is read, and which of its columns seem to be what. */
export interface StarterInput {
  readonly summary: InputSummary;
  /** The column with the longest texts; null when the rows are prompts. */
  readonly text: string | null;
  /** A column whose values tell the rows apart; null when none does. */
  readonly id: string | null;
  /** Columns of languages; null: no target language is named. */
  readonly languages: LanguageColumns | null;
  /** Some rows lack what the job asks about. */
  readonly isLacking: boolean;
}

/** The rows that `init` writes when there is no input yet. */
export const EXAMPLE_ROWS = `id,text
1,"The delivery came two days late, but the headphones are excellent."
2,"Great value. I ordered a second pair for my sister."
3,"The left earpiece stopped working after a week. Please replace it."
`;

/** Reads an input whole and guesses what its columns are for. UsageError when it is no input. */
export async function readStarterInput(path: string): Promise<StarterInput> {
  const options = {
    path,
    format: null,
    encoding: "auto",
    delimiter: null,
    id: null,
    lenient: false,
  } as const;
  try {
    return await guess(options).catch((error: unknown) => {
      if (!(error instanceof WrongEncoding)) throw error;
      return guess({ ...options, encoding: error.guess });
    });
  } catch (error) {
    throw error instanceof UsageError && SHAPELESS.has(error.code) && formatByName(path) === null
      ? plainText(path, error)
      : error;
  }
}

async function guess(options: InputOptions): Promise<StarterInput> {
  const guesses = new ColumnGuess();
  const summary = await scanInput(options, { onRow: (row) => guesses.add(row) });
  if (summary.format === "csv" && formatByName(options.path) === null && isProse(summary.columns))
    throw plainText(options.path);
  const { columns } = summary;
  const arePrompts =
    columns.includes("prompt") ||
    (summary.format === "jsonl" && (columns.includes("messages") || arePromptColumns(columns)));
  const languages = arePrompts ? null : guesses.languages(columns);
  const taken = languages === null ? [] : [languages.source, languages.target];
  const id = await uniqueId(guesses.ids(columns), options);
  const text = arePrompts
    ? null
    : guesses.longest(columns.filter((name) => name !== id && !taken.includes(name)));
  const needed = [text, languages?.target ?? null].filter((name) => name !== null);
  return { summary, text, id: arePrompts ? null : id, languages, isLacking: guesses.isLacking(needed) };
}

/** The first column whose values are unique in the whole input. */
async function uniqueId(candidates: readonly string[], options: InputOptions): Promise<string | null> {
  for (const id of candidates) {
    try {
      await scanInput({ ...options, id });
      return id;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
    }
  }
  return null;
}

/** What reading plain text as a CSV ends with. */
const SHAPELESS: ReadonlySet<string> = new Set([
  "cell_count",
  "bad_header",
  "stray_quote",
  "unclosed_quote",
  "input_no_rows",
  "header_too_large",
]);

/** Whether a first line does not look like names of columns: one only, a sentence, a heading, spaces behind commas. */
function isProse(columns: readonly string[]): boolean {
  const isSentence = (name: string): boolean => /[.!?。！？…]["'”’)]*$/u.test(name.trim());
  return (
    columns.length === 1 ||
    columns.some((name) => name.length > 60 || isSentence(name) || /^\s|^#/.test(name))
  );
}

function plainText(path: string, cause?: unknown): UsageError {
  const name = basename(path);
  return inputError(
    "input_plain_text",
    `${path} looks like plain text: its first line does not name columns, and its name is not that of a CSV or JSONL file.`,
    `To ask about each line: \`jq -Rc 'select(length > 0) | {text: .}' ${name} > rows.jsonl\`. If it is a CSV, name it .csv.`,
    cause,
  );
}

/** A name for the job, out of the input's: letters, digits and hyphens. */
export function starterName(inputPath: string): string {
  const stem = basename(basename(inputPath, ".gz"), extname(basename(inputPath, ".gz")));
  const name = stem
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40);
  return name === "" ? "my-job" : name.toLowerCase();
}
