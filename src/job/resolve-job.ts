import { resolve } from "node:path";
import type { Config } from "../config.js";
import type { DefinitionFile } from "../config/definition-file.js";
import { checkSchema, problemsError } from "../config/problems.js";
import type { Problem } from "../config/problems.js";
import { jobWarnings, relationProblems } from "./job-checks.js";
import type { PartlyChecked } from "./job-checks.js";
import { DEFAULT_TIMEOUT_MS, jobSchema } from "./job-schema.js";
import type { CheckedJob } from "./job-schema.js";
import { templateSources } from "./job-templates.js";
import { toParameters } from "./parameters-schema.js";
import { collectPresets } from "./presets.js";
import { readJsonSchema, readTranslationPairs, ReferencedFileError } from "./referenced-files.js";
import type { PromptTemplates, ResolvedJob, TemplatePosition, TranslationSettings } from "./resolved-job.js";
import { applySet } from "./set-values.js";
import { soundKeys } from "./sound-keys.js";
import { parseTemplate, placeInFile, TemplateError } from "./template.js";

export interface LoadOptions {
  readonly config: Config;
  /** By dotted path, applied before validation; see `parseSet`. null takes a key out. */
  readonly set?: Readonly<Record<string, unknown>>;
}

export interface ResolveOptions extends LoadOptions {
  /** Absolute path of the job file; null for a job defined in code. */
  readonly file: string | null;
  /** Absolute folder that the job's paths are relative to. */
  readonly baseDir: string;
  /** Where the definition's values stand, when they came from a file. */
  readonly source?: DefinitionFile;
}

/** A job ready to run, and what is odd about it. */
export interface LoadedJob {
  readonly job: ResolvedJob;
  readonly warnings: string[];
}

/**
 * Checks a definition and applies every default.
 *
 * UsageError with every problem at once: unknown keys, values out of range, names that do not exist,
 * templates with errors, files that a job names and that cannot be used. The input is not looked at.
 */
export function resolveJob(definition: unknown, options: ResolveOptions): LoadedJob {
  const data = applySet(definition, options.set ?? {});
  const checked = checkSchema(jobSchema, data);
  const partly: PartlyChecked = checked.success ? checked.value : soundKeys(data, checked.problems);
  const files = readReferencedFiles(partly, options.baseDir);
  const problems = [
    ...(checked.success ? [] : checked.problems),
    ...relationProblems(partly, options.config),
    ...templateProblems(partly, options.source ?? null),
    ...files.problems,
  ];
  if (!checked.success || problems.length > 0) {
    throw problemsError(problems, {
      what: "job",
      code: "invalid_job",
      file: options.source ?? null,
      setPaths: Object.keys(options.set ?? {}),
    });
  }
  return { job: compose(checked.value, files, options), warnings: jobWarnings(checked.value) };
}

function compose(checked: CheckedJob, files: ReferencedFiles, options: ResolveOptions): ResolvedJob {
  const { name, model, provider, region, preset, overrides, concurrency, attempts, tags, video } = checked;
  const { schema: _source, ...output } = checked.output;
  const { maxThrottled, ...limits } = checked.limits;
  const job: ResolvedJob = {
    name,
    file: options.file,
    model,
    provider,
    region,
    protocol: checked.protocol ?? options.config.providers[provider]?.protocol ?? "openai",
    preset,
    parameters: toParameters(checked.parameters),
    presets: collectPresets(options.config.presets, checked.presets),
    input: { ...checked.input, path: inputPath(checked.input.path, options.baseDir) },
    overrides: [...new Set(overrides)],
    prompt: promptTemplates(checked),
    output: { ...output, ...(files.schema === undefined ? {} : { schema: files.schema }) },
    concurrency,
    attempts,
    timeoutMs: checked.timeout ?? DEFAULT_TIMEOUT_MS,
    limits: { ...given(limits), maxThrottledMs: maxThrottled },
    tags,
    baseDir: options.baseDir,
    ...(checked.images === undefined ? {} : { images: imageTemplates(checked) }),
    ...(checked.imageRoot === undefined ? {} : { imageRoot: resolve(options.baseDir, checked.imageRoot) }),
    ...(video === undefined ? {} : { video }),
    ...(files.translation === undefined ? {} : { translation: files.translation }),
    ...(checked.reuse === false ? {} : { reuse: checked.reuse }),
    ...(checked.timeout === undefined ? { timeoutIsDefault: true } : {}),
  };
  const positions = templatePositions(job, options);
  return Object.keys(positions).length === 0 ? job : { ...job, templatePositions: positions };
}

interface ReferencedFiles {
  readonly translation?: TranslationSettings;
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
}

function readReferencedFiles({ translation, output }: PartlyChecked, baseDir: string): ReferencedFiles {
  const problems: Problem[] = [];
  const read = <T>(
    value: string | T | undefined,
    path: string[],
    reader: (path: string, baseDir: string) => T,
  ) => {
    if (typeof value !== "string") return value;
    try {
      return reader(value, baseDir);
    } catch (cause) {
      if (!(cause instanceof ReferencedFileError)) throw cause;
      problems.push({ path, message: `${path.join(".")}: expected ${cause.message}` });
      return undefined;
    }
  };
  const schema = read(output?.schema, ["output", "schema"], readJsonSchema);
  if (translation === undefined) return { ...(schema === undefined ? {} : { schema }), problems };
  const terms = read(translation.terms, ["translation", "terms"], readTranslationPairs);
  const memory = read(translation.memory, ["translation", "memory"], readTranslationPairs);
  const { source, target, domain } = translation;
  return {
    translation: { source, target, ...given({ terms, memory, domain }) },
    ...(schema === undefined ? {} : { schema }),
    problems,
  };
}

function templateProblems(partly: PartlyChecked, source: DefinitionFile | null): Problem[] {
  const sources = templateSources({
    prompt: partly.prompt === undefined ? null : promptTemplates(partly),
    ...(partly.images === undefined ? {} : { images: imageTemplates(partly) }),
    ...(partly.video === undefined ? {} : { video: partly.video }),
    ...(partly.translation === undefined
      ? {}
      : { translation: { source: partly.translation.source, target: partly.translation.target } }),
  });
  return [...sources].flatMap(([dotted, text]): Problem[] => {
    try {
      parseTemplate(text);
      return [];
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause;
      const path = templatePath(dotted);
      const at = source === null ? null : filePosition(source, dotted);
      const position = placeInFile(at ?? undefined, cause.line, cause.column);
      const where = position === null ? ` (line ${cause.line}, column ${cause.column} of the template)` : "";
      return [
        { path, message: `${dotted}: ${cause.message}${where}`, ...(position === null ? {} : { position }) },
      ];
    }
  });
}

function templatePositions(
  job: ResolvedJob,
  { source, set }: ResolveOptions,
): Record<string, TemplatePosition> {
  if (source === undefined) return {};
  const fromSet = Object.keys(set ?? {});
  const positions: Record<string, TemplatePosition> = {};
  for (const dotted of templateSources(job).keys()) {
    const replaced = fromSet.some((path) => dotted === path || dotted.startsWith(`${path}.`));
    const position = replaced ? null : filePosition(source, dotted);
    if (position !== null) positions[dotted] = position;
  }
  return positions;
}

function filePosition(source: DefinitionFile, dotted: string): TemplatePosition | null {
  // `images: "{{ url }}"` is a list of one, but stands in the file as a text.
  const at =
    source.locateText(templatePath(dotted)) ?? (dotted === "images.0" ? source.locateText(["images"]) : null);
  return at === null ? null : { file: source.path, ...at };
}

function templatePath(dotted: string): (string | number)[] {
  return dotted.split(".").map((key) => (/^\d+$/.test(key) ? Number(key) : key));
}

function promptTemplates({ prompt }: PartlyChecked): PromptTemplates | null {
  if (prompt === undefined) return null;
  const messages = prompt.messages?.map(({ role, content, partial }) => ({
    role,
    content,
    ...given({ partial }),
  }));
  return { system: prompt.system, user: prompt.user ?? "", ...(messages === undefined ? {} : { messages }) };
}

function imageTemplates({ images }: PartlyChecked): readonly string[] {
  return typeof images === "string" ? [images] : (images ?? []);
}

function inputPath(path: string, baseDir: string): string {
  return path === "-" ? path : resolve(baseDir, path);
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>;
}
