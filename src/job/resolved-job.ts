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
  /** Neutralise model-written cells that a spreadsheet would take for a formula. */
  readonly formulaSafe: boolean;
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

/** Sources of the templates, as written. */
export interface PromptTemplates {
  readonly system: string | null;
  readonly user: string;
}

/** Where a template stands, for messages: file and the 1-based line on which its text begins. */
export interface TemplatePosition {
  readonly file: string | null;
  readonly line: number;
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
}
