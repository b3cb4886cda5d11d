import { jobTemplates } from "./job-templates.js";
import type { ResolvedJob } from "./resolved-job.js";

/** Columns that a job needs and an input lacks, with the place that needs each: for `validate` and before a run. */
export function missingColumns(
  job: ResolvedJob,
  columns: readonly string[],
): { column: string; where: string }[] {
  const missing = new Map<string, string>();
  const need = (column: string, where: string): void => {
    if (!columns.includes(column) && !missing.has(column)) missing.set(column, where);
  };
  if (job.input.id !== null) need(job.input.id, "input.id");
  if (job.prompt === null && !columns.includes("messages")) {
    need("prompt", "the job has no prompt:, so its rows need prompt or messages");
  }
  for (const template of jobTemplates(job).values()) {
    for (const variable of template.variables) need(variable, template.whereIs(variable));
  }
  return [...missing].map(([column, where]) => ({ column, where }));
}
