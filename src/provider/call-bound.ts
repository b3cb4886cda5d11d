import type { CallBound, ModelRequest } from "../types.js";
import { wantsThinking } from "./call-plan.js";
import type { Vendor } from "./endpoint.js";
import { modelTraits } from "./models.js";

/** Byte-level BPE: no token stands for less than one byte of UTF-8, so bytes bound tokens. */
const TOKENS_PER_MESSAGE = 16;
/** What opens the answer, and a system prompt that some models put in themselves. */
const TOKENS_PER_REQUEST = 64;
/** What chat templates write around tools, schemas and translation options. */
const TOKENS_AROUND_EXTRAS = 512;
/** Model Studio: the most of one image, with vl_high_resolution_images. */
const TOKENS_PER_IMAGE = 16_384;
/** No Model Studio model answers with more, thinking left out (model list, mid-2026). */
const MOST_OUTPUT_TOKENS = 65_536;
/** The longest chain of thought of any Model Studio model (model list, mid-2026). */
const MOST_THINKING_TOKENS = 81_920;
/** Model Studio keeps max_completion_tokens within this (API reference). */
const COMPLETION_SLACK = 10;

/**
 * The tokens that one call of a request cannot exceed, whatever its text: for budgets, which are a promise,
 * and for what a lost call can have cost. Far above what is usual: text counts by its bytes.
 *
 * null when there is no bound: an unknown model without `maxTokens`, or media and web search with a model
 * whose context is not known.
 */
export function callBound(request: ModelRequest, vendor: Vendor = "model-studio"): CallBound | null {
  const traits = modelTraits(request.model);
  const thinking = wantsThinking(request, vendor);
  const inputTokens = Math.min(inputBound(request), traits.contextTokens ?? Infinity);
  const outputTokens = outputBound(request, vendor, thinking);
  if (!Number.isFinite(inputTokens) || outputTokens === null) return null;
  return { inputTokens, outputTokens, thinking: thinking || vendor === "other", writesCache: true };
}

function inputBound({ messages, parameters }: ModelRequest): number {
  if (parameters.enableSearch === true) return Infinity; // what is found goes into the input
  let tokens = TOKENS_PER_REQUEST;
  for (const { content, toolCalls } of messages) {
    tokens += TOKENS_PER_MESSAGE;
    if (toolCalls !== undefined) tokens += bytesOf(JSON.stringify(toolCalls));
    if (typeof content === "string") tokens += bytesOf(content);
    else
      for (const part of content) {
        if (part.type === "text") tokens += bytesOf(part.text);
        else tokens += part.type === "image" ? TOKENS_PER_IMAGE : Infinity;
      }
  }
  const { tools, translationOptions, responseFormat, extra } = parameters;
  for (const more of [tools, translationOptions, responseFormat, extra]) {
    if (more !== undefined) tokens += bytesOf(JSON.stringify(more)) + TOKENS_AROUND_EXTRAS;
  }
  return tokens;
}

function outputBound(request: ModelRequest, vendor: Vendor, thinking: boolean): number | null {
  const { maxTokens, maxCompletionTokens, thinkingBudget, extra = {} } = request.parameters;
  const traits = modelTraits(request.model);
  const thought = thinking && vendor !== "other" ? (thinkingBudget ?? MOST_THINKING_TOKENS) : 0;
  const modelMost =
    traits.maxOutputTokens ?? (traits.known && vendor !== "other" ? MOST_OUTPUT_TOKENS : null);
  const most = modelMost === null ? null : modelMost + thought;
  const limits: number[] = [];
  if (maxTokens !== undefined) limits.push(maxTokens + thought);
  if (maxCompletionTokens !== undefined && (vendor === "other" || traits.maxCompletionTokens !== false))
    limits.push(maxCompletionTokens + COMPLETION_SLACK);
  // What `extra` names is sent in place of ours, so the larger one counts.
  const named = [numberOf(extra["max_tokens"], thought), numberOf(extra["max_completion_tokens"], thought)];
  const given = limits.length === 0 ? most : Math.min(...limits);
  if (given === null && named.every((limit) => limit === null)) return null;
  const choices = numberOf(extra["n"], 0) ?? 1;
  return Math.max(given ?? 0, ...named.map((limit) => limit ?? 0)) * Math.max(1, choices);
}

function numberOf(value: unknown, more: number): number | null {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.ceil(value) + more : null;
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
