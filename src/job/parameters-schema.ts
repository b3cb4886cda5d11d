import { z } from "zod";
import type { Parameters } from "../types.js";
import { numberRange, rangeSchema, wholeRange } from "./number-range.js";

/**
 * Ranges of the sampling parameters, as the Model Studio reference gives them. Its overview allows a
 * top_p of 0, the service refuses it; so do we.
 */
export const temperatureRange = numberRange(0, 2, "maximum");
export const topPRange = numberRange(0, 1, "minimum");
export const maxTokensRange = wholeRange(1);

const anyMapping = z.record(z.string(), z.unknown());

const jsonSchemaFormat = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w-]{1,64}$/, { error: "1 to 64 letters, digits, _ or -" })
      .describe("Name of the schema: at most 64 letters, digits, _ or -."),
    schema: anyMapping.describe("JSON Schema of the answer."),
    strict: z.boolean().optional(),
  })
  .describe("What the answer must look like; models that support it only.");

const responseFormat = z
  .discriminatedUnion(
    "type",
    [
      z.strictObject({ type: z.enum(["text", "json_object"]) }),
      z.strictObject({ type: z.literal("json_schema"), jsonSchema: jsonSchemaFormat }),
    ],
    { error: "a type of text, json_object or json_schema" },
  )
  .describe("Form of the answer. output.schema sets this by itself.");

/** Sampling and request parameters as a job file writes them: camelCase, every range checked. */
export const parametersSchema = z.strictObject({
  temperature: rangeSchema(temperatureRange)
    .optional()
    .describe("Randomness, [0, 2). Overrides the preset's. Change this or topP, not both."),
  topP: rangeSchema(topPRange)
    .optional()
    .describe("Nucleus sampling, (0, 1]. Overrides the preset's. Change this or temperature, not both."),
  topK: rangeSchema(wholeRange(0)).optional().describe("Candidates considered; above 100 switches it off."),
  presencePenalty: rangeSchema(numberRange(-2, 2)).optional().describe("[-2, 2]; higher repeats less."),
  repetitionPenalty: rangeSchema(numberRange(0, Infinity, "minimum"))
    .optional()
    .describe("Above 0; 1 is off."),
  seed: rangeSchema(wholeRange(0, 2 ** 31 - 1))
    .optional()
    .describe("For repeatable answers, [0, 2147483647]."),
  n: z
    .literal(1, { error: "1: a row has one answer, so give the row several times for more" })
    .optional()
    .describe("Answers per row: only 1."),
  maxTokens: rangeSchema(maxTokensRange)
    .optional()
    .describe("Most tokens of the answer, thinking not counted. The model's own maximum by default."),
  maxCompletionTokens: rangeSchema(wholeRange(1))
    .optional()
    .describe("Most tokens of answer and thinking together; newer models only."),
  stop: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], { error: "text or a list of texts" })
    .optional()
    .describe("The answer ends before this text, or before any of these."),
  enableThinking: z.boolean().optional().describe("Whether the model thinks first. Thinking is paid for."),
  thinkingBudget: rangeSchema(wholeRange(1)).optional().describe("Most tokens of thinking."),
  reasoningEffort: z.string().min(1).optional().describe("How much to think: the model's own words for it."),
  responseFormat: responseFormat.optional(),
  logprobs: z.boolean().optional().describe("Return log probabilities of the answer's tokens."),
  topLogprobs: rangeSchema(wholeRange(0, 5))
    .optional()
    .describe("Alternatives per token, 0 to 5; needs logprobs."),
  tools: z.array(anyMapping).min(1).optional().describe("Tool definitions, passed through. No tool is run."),
  toolChoice: z
    .union([z.string().min(1), anyMapping], { error: "auto, none or a mapping that names a tool" })
    .optional()
    .describe("auto, none, or a mapping that names a tool."),
  parallelToolCalls: z.boolean().optional().describe("Several tool calls in one answer."),
  enableSearch: z.boolean().optional().describe("The model may search the web."),
  searchOptions: anyMapping.optional().describe("Options of the search, in the vendor's own keys."),
  vlHighResolutionImages: z.boolean().optional().describe("Up to 16,384 tokens per image. Default: false."),
  translationOptions: anyMapping
    .optional()
    .describe("qwen-mt options in the vendor's own keys. `translation` is the easier way."),
  thinkTags: z
    .enum(["keep", "separate"])
    .optional()
    .describe("Thoughts in <think> tags at the start of an answer: keep them in it. Default: separate."),
  extra: anyMapping
    .optional()
    .describe("Sent as they are, beside the other parameters, in the vendor's own keys."),
});

/** Wire names that `extra` must not carry: ours to set, or range-checked under another name. */
const OWN_KEYS = ["model", "messages", "input", "parameters", "stream", "stream_options", "n"];

/** The key of `parameters` that a wire name in `extra` belongs under; null for keys that we set ourselves. */
export function reservedExtraKey(key: string): { reserved: boolean; instead: string | null } {
  if (OWN_KEYS.includes(key)) return { reserved: true, instead: null };
  const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const known = camel !== "extra" && Object.hasOwn(parametersSchema.shape, camel);
  return { reserved: known, instead: known ? camel : null };
}

/** Drops what is only there to be checked (`n`), and keys without a value. */
export function toParameters(checked: z.output<typeof parametersSchema>): Parameters {
  const { n: _answersPerRow, ...parameters } = checked;
  return Object.fromEntries(
    Object.entries(parameters).filter(([, value]) => value !== undefined),
  ) as Parameters;
}
