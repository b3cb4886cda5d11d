import { z } from "zod";
import { durationSchema } from "./duration.js";
import { numberRange, rangeSchema, wholeRange } from "./number-range.js";
import { parametersSchema } from "./parameters-schema.js";
import { presetsSchema } from "./presets.js";

/** What `timeout` is when a job names none. Model Studio itself gives up after 300 s; its answer comes first. */
export const DEFAULT_TIMEOUT_MS = 310_000;
const HOUR_MS = 3_600_000;

const text = z.string().min(1);
const delimiter = z
  .string()
  .transform((value) => (value === "\\t" || value === "tab" ? "\t" : value))
  .pipe(z.string().regex(/^[^"\r\n\w]$/, { error: "one character such as , or ; or |, or tab" }));
const template = (about: string) =>
  z.string().regex(/\S/, { error: "text that is not blank" }).describe(about);

const inputSchema = z.strictObject({
  path: text
    .default("-")
    .describe('CSV or JSONL file, relative to the job file; .gz too. Default: "-", standard input.'),
  id: text
    .nullable()
    .default(null)
    .describe(
      "Column that becomes customId: unique, never empty. Default: the row number, or `id` of prompt rows.",
    ),
  format: z
    .enum(["csv", "jsonl"])
    .nullable()
    .default(null)
    .describe("Default: by the file's name, else its content."),
  encoding: text
    .default("auto")
    .describe("auto (default: BOM, else UTF-8) or a name such as gb18030, big5, shift_jis."),
  delimiter: delimiter
    .nullable()
    .default(null)
    .describe("CSV only: one character, or tab. Default: detected among , ; tab |."),
  lenient: z
    .boolean()
    .default(false)
    .describe("Mark unreadable rows failed instead of refusing the input. Default: false."),
});

const messageSchema = z.strictObject({
  role: z.enum(["system", "user", "assistant"]),
  content: template("Liquid template of the message."),
  partial: z.boolean().optional().describe("On a last message of role assistant: the model continues it."),
});

const promptSchema = z
  .strictObject({
    system: z.string().nullable().default(null).describe("Liquid template of the system message."),
    user: template(
      'Liquid template of the user message: {{ title }} inserts a cell, {{ row["Product name"] }} one whose column has spaces.',
    ).optional(),
    messages: z.array(messageSchema).min(1).optional().describe("Several turns, instead of system and user."),
  })
  .describe("Templates over the input's columns. Without it, the rows are the prompts.");

const pairs = z.union([text, z.array(z.strictObject({ source: text, target: text }))], {
  error: "the path of a CSV file with the columns source and target, or a list of {source, target}",
});

const translationSchema = z
  .strictObject({
    source: text
      .default("auto")
      .describe("Language of the text, in English (Chinese) or as a code (zh); a template. Default: auto."),
    target: text.describe(
      "Language to translate into, likewise; {{ target_language }} takes it from a column.",
    ),
    terms: pairs
      .optional()
      .describe("Glossary: a CSV file with the columns source and target, or a list of pairs."),
    memory: pairs.optional().describe("Translation memory: sentences translated before, like terms."),
    domain: text.optional().describe("In what manner to translate: a sentence in English."),
  })
  .describe("For qwen-mt models: what to translate into, and how.");

const outputSchema = z.strictObject({
  format: z.enum(["csv", "jsonl"]).default("csv").describe("Default: csv."),
  column: text.default("answer").describe("Name of the answer's column. Default: answer."),
  excel: z.boolean().default(false).describe("CSV with a byte order mark and CRLF. Default: false."),
  delimiter: delimiter
    .optional()
    .describe(
      "CSV only: one character, or tab. Default: a comma; with excel a semicolon if the input has it.",
    ),
  formulaSafe: z
    .boolean()
    .default(true)
    .describe("Neutralise answers that a spreadsheet would run as a formula. Default: true."),
  schema: z
    .union([text, z.record(z.string(), z.unknown())], {
      error: "a JSON Schema, or the path of a file that holds one",
    })
    .optional()
    .describe("JSON Schema of the answer, or a file that holds one: the answer is then JSON, and checked."),
  reasoning: z
    .boolean()
    .default(false)
    .describe(
      "Also a column reasoning, with what the model thought. Default: false; the journal has it anyway.",
    ),
});

const limitsSchema = z.strictObject({
  requestsPerMinute: rangeSchema(wholeRange(1))
    .optional()
    .describe("Calls per minute over all workers. Default: adaptive."),
  tokensPerMinute: rangeSchema(wholeRange(1))
    .optional()
    .describe("Tokens per minute, input and output. Default: adaptive."),
  budget: rangeSchema(numberRange(0, Infinity, "minimum"))
    .optional()
    .describe("Most money this run may cost, in the currency of the region's prices (USD, for Beijing CNY)."),
  maxThrottled: durationSchema(
    1_000,
    7 * 24 * HOUR_MS,
    "Halt after this long without progress, all calls throttled. Default: 30m.",
  ).prefault("30m"),
});

const strings = (about: string) =>
  z.union([text, z.array(text).min(1)], { error: "text or a list of texts" }).describe(about);

/**
 * A job file: unknown keys fail, numbers are in range, defaults are applied. What relates several keys, or
 * a key to another file, is checked by `resolveJob`.
 */
export const jobSchema = z
  .strictObject({
    $schema: z.string().optional().describe("For editors; not read."),
    name: z
      .string({ error: "a name" })
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
        error: "1 to 64 letters, digits, ., _ or -, starting with a letter or digit",
      })
      .describe("Names the runs and their folders: 1 to 64 letters, digits, ., _ or -."),
    model: z
      .string({ error: "a model name" })
      .regex(/^\S{1,200}$/, { error: "a model name without spaces" })
      .describe("qwen-plus, qwen-flash, … as the provider calls it."),
    provider: text
      .default("model-studio")
      .describe(
        "model-studio (default), openai-compatible, simulator, or a name from promptmill.config.yaml.",
      ),
    region: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9.-]*$/, {
        error: "a region's name or a workspace host, without https:// or path",
      })
      .nullable()
      .default(null)
      .describe("model-studio: singapore (default), beijing, virginia, hong-kong, … or a workspace host."),
    protocol: z
      .enum(["openai", "dashscope"])
      .optional()
      .describe("openai (default), or model-studio's own dashscope."),
    preset: text
      .nullable()
      .default(null)
      .describe(
        "Named sampling parameters: creative_writing, code_generation, factual_qa, translation, summarization, or own ones.",
      ),
    presets: presetsSchema.default({}).describe("Presets of this job, by name."),
    parameters: parametersSchema
      .default({})
      .describe("Parameters of every request; they override the preset's."),
    input: inputSchema.prefault({}).describe("Where the rows come from."),
    overrides: z
      .array(z.enum(["preset", "temperature", "top_p", "max_tokens", "model"]))
      .default([])
      .describe("Columns whose values may override per row. Default: none. Prompt rows may always."),
    prompt: promptSchema.optional(),
    images: strings(
      "Templates of image URLs or local files (relative to the job file), added to the user message. Empty ones are left out.",
    ).optional(),
    imageRoot: text
      .optional()
      .describe(
        "Folder, relative to the job file, below which rows may name local images. Default: the job file's.",
      ),
    video: text.optional().describe("Template of a video URL, added to the user message."),
    translation: translationSchema.optional(),
    output: outputSchema.prefault({}).describe("What the result file looks like."),
    concurrency: rangeSchema(wholeRange(1, 10_000))
      .default(32)
      .describe("Calls in flight, over all workers; 1 to 10,000. Default: 32."),
    attempts: rangeSchema(wholeRange(1, 100))
      .default(5)
      .describe("Calls per row, the first included; 1 to 100. Default: 5."),
    timeout: durationSchema(
      10,
      2 * HOUR_MS,
      'Per call: "5m", "90s", or seconds; at most 2h. For streamed answers, between two pieces.',
    ).optional(),
    limits: limitsSchema.prefault({}).describe("How fast, and for how much money at most."),
    reuse: z
      .union([z.boolean(), text], { error: "true, false, or a run id or job name" })
      .default(false)
      .describe(
        "Take answers of earlier runs (of this job, or of the run or job named) for rows whose request is the same. Default: false.",
      ),
    tags: z
      .record(
        z.string().regex(/^[\w-]{1,64}$/, { error: "a tag name of letters, digits, _ or -" }),
        z.union([z.string(), z.number(), z.boolean()], { error: "text" }).transform(String),
      )
      .default({})
      .describe("For reports: report --by tag:team."),
  })
  .meta({ title: "promptmill job" });

/** A job as a file or a library user writes it: defaults not yet applied. */
export type JobDefinition = z.input<typeof jobSchema>;
export type CheckedJob = z.output<typeof jobSchema>;

/** Names a definition's type for library users; it is checked when it is run, not here. */
export function defineJob(definition: JobDefinition): JobDefinition {
  return definition;
}

/** The schema for editors, as published in schema/job.schema.json. */
export function jobJsonSchema(): object {
  return {
    ...z.toJSONSchema(jobSchema, { io: "input", target: "draft-7", unrepresentable: "any" }),
    $comment: "Written by `npm run schema`; do not edit.",
  };
}
