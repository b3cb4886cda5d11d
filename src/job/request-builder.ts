import { dirname } from "node:path";
import { customIdOf, PROMPT_ROW_IDS } from "../input/custom-id.js";
import type { InputRow } from "../input/row.js";
import type { Message, ModelRequest } from "../types.js";
import { malformedCell } from "./cell.js";
import { asPromptRow } from "./foreign-rows.js";
import { jobTemplates, requireTemplate } from "./job-templates.js";
import type { JobTemplate } from "./job-templates.js";
import { imageRootOf, MediaError, mediaReferences, withMedia } from "./media.js";
import { promptRowMessages } from "./prompt-rows.js";
import { parameterMerger } from "./request-parameters.js";
import type { ResolvedJob } from "./resolved-job.js";
import { overrideKeys, readOverrides } from "./row-overrides.js";
import { RowProblem } from "./row-problem.js";
import { templatedMessages } from "./templated-rows.js";
import { translationOptions } from "./translation-options.js";

/** What one row becomes. */
export interface BuiltRequest {
  readonly customId: string;
  /** The preset whose values went in; null when none did. */
  readonly preset: string | null;
  /** Local images are still file: URLs: see `inlineLocalImages`. */
  readonly request: ModelRequest;
}

/** Makes requests of rows. Its templates are parsed once. */
export interface RequestBuilder {
  /** Columns that the templates name, in order of first use. */
  readonly variables: readonly string[];
  /** Warnings met so far, each kind once. Grows while building. */
  readonly warnings: readonly string[];
  /** Absolute folder below which local images may be read. */
  readonly imageRoot: string;
  /** Throws RowProblem for a row that cannot become a request. */
  build(row: InputRow): BuiltRequest;
}

/** Compiles a resolved job into the function from rows to requests; no file is read, here or per row. */
export function compileRequests(job: ResolvedJob): RequestBuilder {
  const templates = jobTemplates(job);
  const warnings: string[] = [];
  const keys = overrideKeys(job);
  const mergeParameters = parameterMerger(job);
  const messagesOf = job.prompt === null ? promptRows(job) : templatedRows(job, templates);
  const translationOf = translationOptions(job, templates);
  const idColumn = job.input.id ?? (job.prompt === null ? PROMPT_ROW_IDS : null);
  return {
    variables: [...new Set([...templates.values()].flatMap((template) => template.variables))],
    warnings,
    imageRoot: imageRootOf(job),
    build(given) {
      if (given.problem !== undefined)
        throw new RowProblem(given, given.problem.message, { code: given.problem.code });
      const { row, parameters: own } =
        job.prompt === null ? asPromptRow(given) : { row: given, parameters: undefined };
      if (own?.responseFormat !== undefined && job.output.schema !== undefined)
        throw malformedCell(given, "body.response_format", "none beside output.schema", own.responseFormat);
      const read = readOverrides(row, keys, job);
      const overrides = own === undefined ? read : { ...read, parameters: own };
      if (overrides.temperature !== undefined && overrides.topP !== undefined && warnings.length === 0) {
        warnings.push(
          `row ${row.rowIndex + 1} (line ${row.line}) sets both temperature and top_p; the vendor advises to change one of them (said once)`,
        );
      }
      const { preset, parameters } = mergeParameters(overrides);
      const messages = messagesOf(row);
      return {
        customId: customIdOf(given, idColumn),
        preset,
        request: {
          model: overrides.model ?? job.model,
          messages,
          parameters:
            translationOf === null
              ? parameters
              : { ...parameters, translationOptions: translationOf(row, textOf(messages)) },
        },
      };
    },
  };
}

function textOf(messages: readonly Message[]): string {
  const texts = messages.map(({ content }) =>
    typeof content === "string"
      ? content
      : content.map((part) => (part.type === "text" ? part.text : "")).join("\n"),
  );
  return texts.join("\n");
}

type RowMessages = (row: InputRow) => readonly Message[];

function templatedRows(job: ResolvedJob, templates: ReadonlyMap<string, JobTemplate>): RowMessages {
  const messagesOf = templatedMessages(job, templates);
  const images = (job.images ?? []).map((_, index) => requireTemplate(templates, `images.${index}`));
  const video = templates.get("video");
  if (images.length === 0 && video === undefined) return messagesOf;
  const baseDir = job.baseDir ?? ".";
  return (row) => {
    const messages = messagesOf(row);
    return mediaOf(row, video === undefined ? "images" : "images or video", () =>
      withMedia(
        messages,
        {
          images: images.flatMap((image) => mediaReferences(image.render(row))),
          video: video === undefined ? null : (mediaReferences(video.render(row))[0] ?? null),
        },
        baseDir,
      ),
    );
  };
}

/** Local images of prompt rows are relative to the input file: that is where the row's author saw them. */
function promptRows(job: ResolvedJob): RowMessages {
  const baseDir = job.input.path === "-" ? (job.baseDir ?? ".") : dirname(job.input.path);
  return (row) => {
    const messages = promptRowMessages(row, job.translation !== undefined, baseDir);
    const { images, video } = row.values;
    if ((images ?? video ?? null) === null) return messages;
    return mediaOf(row, "images", () =>
      withMedia(
        messages,
        { images: mediaReferences(images), video: mediaReferences(video)[0] ?? null },
        baseDir,
      ),
    );
  };
}

function mediaOf<T>(row: InputRow, column: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (!(cause instanceof MediaError)) throw cause;
    throw new RowProblem(row, `${column}: ${cause.message}`, { code: "invalid_media", column, cause });
  }
}
