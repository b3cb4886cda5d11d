import { nearest } from "../config/nearest.js";
import { UsageError } from "../errors.js";
import { columnNamed, lookAlikes, nameDifference } from "../input/look-alike.js";
import { printable, shownText } from "../input/unsafe-text.js";
import { arePromptColumns } from "./foreign-rows.js";
import { jobTemplates } from "./job-templates.js";
import type { ResolvedJob } from "./resolved-job.js";
import { overrideKeys } from "./row-overrides.js";

/** A column that a job names, and where. */
export interface ColumnUse {
  readonly column: string;
  readonly where: string;
}

/** Columns that a job needs and an input lacks, with the place that needs each. */
export function missingColumns(job: ResolvedJob, columns: readonly string[]): ColumnUse[] {
  const missing = neededColumns(job).filter(({ column }) => columnNamed(columns, column) === null);
  const hasPrompts =
    PROMPT_COLUMNS.some((column) => columnNamed(columns, column) !== null) || arePromptColumns(columns);
  if (job.prompt === null && !hasPrompts) {
    missing.push({ column: "prompt", where: "the job has no prompt:, so its rows need prompt or messages" });
  }
  return missing;
}

/** Refuses an input that lacks what the job names. UsageError with every column and the place that needs it. */
export function refuseMissingColumns(job: ResolvedJob, columns: readonly string[]): void {
  const missing = missingColumns(job, columns);
  if (missing.length === 0) return;
  const list = missing.map(({ column, where }) => `${shownText(column)} (${where}${meant(column, columns)})`);
  throw new UsageError(
    printable(`The job uses columns that ${job.input.path} does not have: ${list.join(", ")}.`),
    { code: "column_missing", hint: `Its columns: ${columns.map(shownText).join(", ")}` },
  );
}

/** What to tell of columns that are taken although the job writes their names with other characters. */
export function lookAlikeWarnings(job: ResolvedJob, columns: readonly string[]): string[] {
  const optional = [...overrideKeys(job), ...(job.prompt === null ? PROMPT_COLUMNS : [])];
  const uses = [
    ...neededColumns(job),
    ...optional.map((column) => ({ column, where: "a column that rows may have" })),
  ];
  return uses.flatMap(({ column, where }) => {
    const actual = columnNamed(columns, column);
    if (actual === null || actual === column) return [];
    return [
      `column ${shownText(column)} (${where}) is taken from ${shownText(actual)}: ${nameDifference(column, actual)}`,
    ];
  });
}

const PROMPT_COLUMNS = ["prompt", "messages"];

function neededColumns(job: ResolvedJob): ColumnUse[] {
  const uses = new Map<string, string>();
  if (job.input.id !== null) uses.set(job.input.id, "input.id");
  for (const template of jobTemplates(job).values()) {
    for (const variable of template.variables) {
      if (!uses.has(variable)) uses.set(variable, template.whereIs(variable));
    }
  }
  return [...uses].map(([column, where]) => ({ column, where }));
}

function meant(column: string, columns: readonly string[]): string {
  const alike = lookAlikes(columns, column);
  if (alike.length > 0) return `; several look like it: ${alike.map(shownText).join(", ")}`;
  const close = nearest(column, columns);
  return close === null ? "" : `; did you mean ${shownText(close)}?`;
}
