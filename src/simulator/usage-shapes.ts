import type { Protocol } from "../types.js";
import { type SimulatedUsage, usageTotals } from "./usage.js";

type UsageFields = Readonly<Record<string, unknown>>;

interface UsageFacts {
  readonly usage: SimulatedUsage;
  /** As the vendor would word it. */
  readonly usual: UsageFields;
  /** Its three totals, without details. */
  readonly totals: UsageFields;
  /** Where the vendor puts the tokens of reasoning. */
  readonly outputDetails: "completion_tokens_details" | "output_tokens_details";
}

/** What an infinite number stands for until the body is text: JSON has no other way to say it. */
const infinity = "\u221e";

/**
 * Usage as other servers have been seen to word it, or to get it wrong: what each is like, and how it is
 * made of the usual one. The call log counts what was really used.
 */
export const usageShapes: Readonly<Record<string, readonly [string, (facts: UsageFacts) => unknown]>> = {
  missing: ["no usage at all", () => undefined],
  null: ["usage: null", () => null],
  empty: ["usage: {}", () => ({})],
  plain: ["the totals without details", ({ totals }) => totals],
  no_total: ["without total_tokens", ({ usual }) => ({ ...usual, total_tokens: undefined })],
  null_details: [
    "details that are null",
    ({ totals, outputDetails }) => ({ ...totals, prompt_tokens_details: null, [outputDetails]: null }),
  ],
  zero: ["zeros beside a text", ({ usual }) => eachNumber(usual, () => 0)],
  strings: ["numbers in quotes", ({ usual }) => eachNumber(usual, String)],
  fractional: ["halves of tokens", ({ usual }) => eachNumber(usual, (value) => value + 0.5)],
  negative: ["numbers below zero", ({ usual }) => eachNumber(usual, (value) => -1 - value)],
  infinite: ["1e999", ({ usual }) => eachNumber(usual, () => infinity)],
  total_beyond: [
    "a total beyond input and output",
    ({ usual, usage }) => ({ ...usual, total_tokens: usage.input + usage.output + 100 }),
  ],
  total_below: [
    "a total below input and output",
    ({ usual, usage }) => ({ ...usual, total_tokens: usage.input }),
  ],
  reasoning_beyond: [
    "more reasoning than output",
    ({ usual, usage, outputDetails }) => ({
      ...usual,
      [outputDetails]: { reasoning_tokens: usage.output + 94 },
    }),
  ],
  cached_beyond: [
    "more cached tokens than input",
    ({ usual, usage }) => ({ ...usual, prompt_tokens_details: { cached_tokens: usage.input + 50 } }),
  ],
  grok: [
    "reasoning beside the output and only in the total, as xAI counts",
    ({ totals, usage, outputDetails }) => ({
      ...totals,
      [outputDetails.replace("_details", "")]: usage.output - usage.reasoning,
      [outputDetails]: { reasoning_tokens: usage.reasoning },
    }),
  ],
  anthropic: [
    "Anthropic's names; input_tokens without what the cache gave",
    ({ usage }) => ({
      input_tokens: usage.input - usage.cachedInput - usage.cacheWrite,
      cache_creation_input_tokens: usage.cacheWrite,
      cache_read_input_tokens: usage.cachedInput,
      output_tokens: usage.output,
    }),
  ],
  deepseek: [
    "DeepSeek's prompt_cache_hit_tokens and prompt_cache_miss_tokens",
    ({ totals, usage }) => ({
      ...totals,
      prompt_cache_hit_tokens: usage.cachedInput,
      prompt_cache_miss_tokens: usage.input - usage.cachedInput,
    }),
  ],
  cached_at_top: [
    "usage.cached_tokens, as Moonshot has it",
    ({ totals, usage }) => ({ ...totals, cached_tokens: usage.cachedInput }),
  ],
};

/** What the model uses beyond the answer, where only a shape's own tokens make it worth looking at. */
export function shapedUsage(usage: SimulatedUsage, shape: string | undefined): SimulatedUsage {
  if (shape === "grok") return { ...usage, output: usage.output + 94, reasoning: usage.reasoning + 94 };
  const cached = shape === "anthropic" || shape === "deepseek" || shape === "cached_at_top";
  return cached && usage.cachedInput === 0 ? { ...usage, cachedInput: Math.floor(usage.input / 2) } : usage;
}

/** `usual` in the shape; undefined for none at all. */
export function usageInShape(
  shape: string | undefined,
  usage: SimulatedUsage,
  usual: UsageFields,
  protocol: Protocol,
): unknown {
  const make = shape === undefined ? undefined : usageShapes[shape]?.[1];
  if (make === undefined) return usual;
  const totals = usageTotals(usage, protocol);
  const outputDetails = protocol === "dashscope" ? "output_tokens_details" : "completion_tokens_details";
  return make({ usage, usual, totals, outputDetails });
}

/** JSON of a body, with the infinite numbers of its usage. */
export function jsonText(body: unknown, shape: string | undefined): string {
  const text = JSON.stringify(body);
  return shape === "infinite" ? text.replaceAll(`"${infinity}"`, "1e999") : text;
}

function eachNumber(fields: UsageFields, change: (value: number) => unknown): UsageFields {
  const changed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === "number") changed[key] = change(value);
    else if (typeof value === "object" && value !== null) changed[key] = eachNumber({ ...value }, change);
    else changed[key] = value;
  }
  return changed;
}
