import { basename } from "node:path";
import type { InputRow } from "../input/row.js";
import type { ResolvedJob } from "./resolved-job.js";
import { RowProblem } from "./row-problem.js";
import { parseTemplate, placeInFile, TemplateError } from "./template.js";
import type { Template } from "./template.js";

/** Sources of every template of a job, by dotted path in the job file. */
export function templateSources(
  job: Pick<ResolvedJob, "prompt" | "images" | "video" | "translation">,
): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  if (job.prompt?.messages !== undefined) {
    for (const [index, { content }] of job.prompt.messages.entries()) {
      sources.set(`prompt.messages.${index}.content`, content);
    }
  } else if (job.prompt !== null) {
    if (job.prompt.system !== null) sources.set("prompt.system", job.prompt.system);
    sources.set("prompt.user", job.prompt.user);
  }
  for (const [index, image] of (job.images ?? []).entries()) sources.set(`images.${index}`, image);
  if (job.video !== undefined) sources.set("video", job.video);
  if (job.translation !== undefined) {
    sources.set("translation.source", job.translation.source);
    sources.set("translation.target", job.translation.target);
  }
  return sources;
}

/** A template together with its place, so that its failures name the job file's line and the row. */
export interface JobTemplate {
  readonly variables: readonly string[];
  /** Where it uses a variable: `prompt.user, summarize.yaml:12`. */
  whereIs(variable: string): string;
  /** Throws RowProblem. */
  render(row: InputRow): string;
}

/** Parses a job's template by its dotted path. The job was checked: a syntax error here is TemplateError. */
export function jobTemplate(job: ResolvedJob, path: string, source: string): JobTemplate {
  const template: Template = parseTemplate(source);
  const position = job.templatePositions?.[path];
  const fileName = position?.file === null || position === undefined ? null : basename(position.file);
  return {
    variables: template.variables,
    whereIs(variable) {
      const line = template.lineOf(variable);
      const place = placeInFile(position, line, 1);
      return place === null ? `${path} line ${line}` : `${path}, ${fileName ?? "job"}:${place.line}`;
    },
    render(row) {
      try {
        return template.render(row.values);
      } catch (cause) {
        if (!(cause instanceof TemplateError)) throw cause;
        const place = placeInFile(position, cause.line, cause.column);
        const where =
          place === null
            ? `${path}, template line ${cause.line}`
            : `${path}, ${fileName ?? "job"}:${place.line}:${place.column}`;
        throw new RowProblem(row, `${cause.message} (${where})`, {
          code: cause.missing === null ? "template_failed" : "missing_column",
          templateLine: place?.line ?? cause.line,
          ...(cause.missing === null ? {} : { column: cause.missing }),
          cause,
        });
      }
    },
  };
}

/** Every template of a job, parsed, by dotted path. */
export function jobTemplates(job: ResolvedJob): ReadonlyMap<string, JobTemplate> {
  return new Map([...templateSources(job)].map(([path, source]) => [path, jobTemplate(job, path, source)]));
}

/** The template at a path that the job is known to have one at. */
export function requireTemplate(templates: ReadonlyMap<string, JobTemplate>, path: string): JobTemplate {
  const template = templates.get(path);
  if (template === undefined) throw new Error(`no template at ${path}`);
  return template;
}
