import type { Parameters, Protocol } from "../types.js";

/** Named sampling parameters. */
export interface Preset {
  readonly temperature?: number;
  readonly topP?: number;
}

/** A preset together with where it was defined. */
export interface NamedPreset extends Preset {
  readonly name: string;
  readonly source: "built-in" | "config" | "job";
}

/** What a row may override. */
export type OverrideKey = "preset" | "temperature" | "top_p" | "max_tokens" | "model";

export interface InputOptions {
  /** Absolute path, or "-" for standard input. */
  readonly path: string;
  /** null: by the file's name (.csv, .tsv, .jsonl, .ndjson, each also .gz), else by its first character. */
  readonly format: "csv" | "jsonl" | null;
  /** "auto" or a name that iconv-lite knows. */
  readonly encoding: string;
  /** null: detected among , ; tab |. CSV only. */
  readonly delimiter: string | null;
  /** Column whose value becomes customId; null: the row number as a string, or `id` in prompt rows. */
  readonly id: string | null;
  /** Unreadable rows are marked failed instead of refusing the input. */
  readonly lenient: boolean;
}

export interface OutputOptions {
  readonly format: "csv" | "jsonl";
  /** Name of the answer column. */
  readonly column: string;
  /** CSV with a byte order mark and CRLF, as Excel wants it. */
  readonly excel: boolean;
  /** Between the cells of a CSV. Absent: a comma, or with `excel` a semicolon where the input has one. */
  readonly delimiter?: string | undefined;
  /** Neutralise model-written cells that a spreadsheet would take for a formula. */
  readonly formulaSafe: boolean;
  /** Whether the results have a column for the model's thinking. Absent: no. */
  readonly reasoning?: boolean;
  /** JSON Schema of the answer: structured output. */
  readonly schema?: Readonly<Record<string, unknown>>;
}

export interface Limits {
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** In the price table's currency for the job's region. */
  readonly budget?: number;
  /** Milliseconds without progress, all calls throttled, before the run halts. Default 30 min. */
  readonly maxThrottledMs: number;
}

/** One turn of a prompt in several turns, as written. */
export interface MessageTemplate {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
  /** Only on a last message of role assistant: a prefix that the model continues. */
  readonly partial?: boolean;
}

/** Sources of the templates, as written. */
export interface PromptTemplates {
  readonly system: string | null;
  /** Empty when `messages` is there. */
  readonly user: string;
  /** Several turns, in place of `system` and `user`. */
  readonly messages?: readonly MessageTemplate[];
}

/** Where a template stands, for messages: file and the 1-based line on which its text begins. */
export interface TemplatePosition {
  readonly file: string | null;
  readonly line: number;
  /** Columns by which the file's lines are shifted right against the template's. */
  readonly indent?: number;
  /** Template lines follow file lines one to one; otherwise (folded or escaped text) only the start is known. */
  readonly exact?: boolean;
}

/** A source text and what it must become. */
export interface TranslationPair {
  readonly source: string;
  readonly target: string;
}

/** For qwen-mt. Glossary and memory are read from their files already; `source` and `target` are templates. */
export interface TranslationSettings {
  readonly source: string;
  readonly target: string;
  readonly terms?: readonly TranslationPair[];
  readonly memory?: readonly TranslationPair[];
  readonly domain?: string;
}

/**
 * A job with every default applied, every path absolute and every number in range. JSON-safe and free of
 * secrets: it is stored in run.json and a resume runs from it.
 */
export interface ResolvedJob {
  readonly name: string;
  /** Absolute path of the job file; null for a job defined in code. */
  readonly file: string | null;
  readonly model: string;
  /** Name of a provider; workers look it up in their own configuration. */
  readonly provider: string;
  /** Model Studio: a region's name or a workspace host; null elsewhere. */
  readonly region: string | null;
  readonly protocol: Protocol;
  /** The job's preset name; null when none. */
  readonly preset: string | null;
  /** The job's own parameters, without the preset's. */
  readonly parameters: Parameters;
  /** Every preset that a row can name: built-in, configuration file, job, in that order of precedence. */
  readonly presets: Readonly<Record<string, NamedPreset>>;
  readonly input: InputOptions;
  readonly overrides: readonly OverrideKey[];
  /** null: the input holds prompt rows. */
  readonly prompt: PromptTemplates | null;
  readonly output: OutputOptions;
  readonly concurrency: number;
  /** Calls of the model per row, the first included. */
  readonly attempts: number;
  /** Per attempt, milliseconds. */
  readonly timeoutMs: number;
  readonly limits: Limits;
  readonly tags: Readonly<Record<string, string>>;
  /** Absolute folder that local images named by the job's templates are relative to. Default: the working folder. */
  readonly baseDir?: string;
  /** Absolute folder below which rows may name local images. Absent: `baseDir`. */
  readonly imageRoot?: string;
  /** Templates of image URLs or local paths; each may render to nothing. */
  readonly images?: readonly string[];
  /** Template of a video URL. */
  readonly video?: string;
  readonly translation?: TranslationSettings;
  /** true: answers of earlier runs of this job; text: of that run or job. Absent: none. */
  readonly reuse?: boolean | string;
  /** The job named no timeout, so the endpoint's own default may replace `timeoutMs`. */
  readonly timeoutIsDefault?: boolean;
  /** By dotted path ("prompt.user", "images.0"). Absent for templates that did not come from a file. */
  readonly templatePositions?: Readonly<Record<string, TemplatePosition>>;
}
