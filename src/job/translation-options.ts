import type { InputRow } from "../input/row.js";
import type { Parameters } from "../types.js";
import { requireTemplate } from "./job-templates.js";
import type { JobTemplate } from "./job-templates.js";
import type { ResolvedJob } from "./resolved-job.js";
import { RowProblem } from "./row-problem.js";

/**
 * qwen-mt's options in the vendor's own keys (machine-translation page); null for other jobs. Of the glossary
 * a row takes along what occurs in its text, whatever the case: the rest would be paid for and confuse.
 */
export function translationOptions(
  job: ResolvedJob,
  templates: ReadonlyMap<string, JobTemplate>,
): ((row: InputRow, text: string) => NonNullable<Parameters["translationOptions"]>) | null {
  if (job.translation === undefined) return null;
  const { terms, memory, domain } = job.translation;
  const source = requireTemplate(templates, "translation.source");
  const target = requireTemplate(templates, "translation.target");
  const fixed = {
    ...(memory === undefined ? {} : { tm_list: memory }),
    ...(domain === undefined ? {} : { domains: domain }),
  };
  const language = (row: InputRow, template: JobTemplate, path: string): string => {
    const name = template.render(row).trim();
    if (name !== "") return name;
    throw new RowProblem(row, `${path}: expected a language such as English, received nothing`, {
      code: "invalid_value",
    });
  };
  const glossary = (terms ?? []).map((term) => ({ term, word: folded(term.source) }));
  return (row, text) => {
    const whole = folded(text);
    const occurring = glossary.filter(({ word }) => whole.includes(word)).map(({ term }) => term);
    return {
      source_lang: language(row, source, "translation.source"),
      target_lang: language(row, target, "translation.target"),
      ...(occurring.length === 0 ? {} : { terms: occurring }),
      ...fixed,
    };
  };
}

function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}
