import { readChoiceError } from "../errors/vendor-error.js";
import type { VendorError } from "../errors/vendor-error.js";
import { arrayOf, nonEmpty, objectOf, requestIdIn, stringOf } from "../json-value.js";
import type { JsonObject } from "../json-value.js";

/** What a server answered, before we judge whether it is an answer. null: the server did not say. */
export interface Reply {
  readonly text: string | null;
  readonly reasoning: string | null;
  readonly finishReason: string | null;
  readonly toolCalls: readonly unknown[] | null;
  /** Of each token of `text`. */
  readonly logprobs: readonly unknown[] | null;
  /** The model's own words for not answering (OpenAI). */
  readonly refusal: string | null;
  /** What broke the answer off after it had begun, beside what there is of it (OpenRouter). */
  readonly error: VendorError | null;
  /** As sent; `usageOf` reads it. */
  readonly usage: JsonObject | null;
  readonly model: string | null;
  readonly requestId: string | null;
}

const NO_MESSAGE: JsonObject = {};

/**
 * Reads one body or one streamed chunk of either protocol: `choices[].message`, `choices[].delta`,
 * `output.choices[].message`, `output.text`. Content may be a string or an array of parts.
 *
 * null when it has neither choices nor text nor usage. Only the first choice is read: n is always 1.
 */
export function readReply(body: unknown): Reply | null {
  const outer = objectOf(body);
  if (outer === null) return null;
  const holder = objectOf(outer["output"]) ?? outer;
  const choices = arrayOf(holder["choices"]);
  const choice = objectOf(choices?.[0]);
  const usage = usageIn(outer, choice);
  const text = choice === null ? stringOf(holder["text"]) : null;
  if (choice === null && text === null && choices === null && usage === null) return null;
  const message = objectOf(choice?.["message"]) ?? objectOf(choice?.["delta"]) ?? NO_MESSAGE;
  const { content } = message;
  const toolCalls = arrayOf(message["tool_calls"]);
  // Written out: this is made for every row, and for every chunk of a stream.
  return {
    text: text ?? stringOf(content) ?? partsText(content, isAnswer),
    // vLLM and OpenRouter say `reasoning`; Mistral sends it among the parts.
    reasoning:
      nonEmpty(message["reasoning_content"]) ??
      nonEmpty(message["reasoning"]) ??
      nonEmpty(partsText(content, isThought)),
    finishReason: choice === null && text === null ? null : finishReasonOf(choice ?? holder),
    toolCalls: toolCalls === null || toolCalls.length === 0 ? null : toolCalls,
    logprobs: arrayOf(objectOf(choice?.["logprobs"])?.["content"]),
    refusal: nonEmpty(message["refusal"]),
    error: choice === null ? null : (readChoiceError(choice["error"]) ?? readChoiceError(outer["error"])),
    usage,
    model: nonEmpty(outer["model"]),
    requestId: requestIdIn(outer),
  };
}

/** Moonshot's streams have it in the choice, Groq's under a name of their own, Gemini's own service elsewhere. */
function usageIn(outer: JsonObject, choice: JsonObject | null): JsonObject | null {
  return (
    objectOf(outer["usage"]) ??
    objectOf(choice?.["usage"]) ??
    objectOf(objectOf(outer["x_groq"])?.["usage"]) ??
    objectOf(outer["usageMetadata"])
  );
}

/** The text of an array of parts; null when there is no array. */
function partsText(content: unknown, wanted: (part: JsonObject) => boolean): string | null {
  const parts = arrayOf(content);
  if (parts === null) return null;
  let text = "";
  for (const part of parts) {
    const typed = objectOf(part);
    if (typed === null) text += wanted({}) ? (stringOf(part) ?? "") : "";
    else if (wanted(typed)) text += textOfPart(typed);
  }
  return text;
}

/** `{text}`, `{type: "thinking", thinking: "…"}` (Anthropic) or `{type: "thinking", thinking: [{text}]}` (Mistral). */
function textOfPart(part: JsonObject): string {
  const inner = part["thinking"] ?? part["reasoning"] ?? part["text"];
  return stringOf(inner) ?? partsText(inner, () => true) ?? "";
}

function isAnswer(part: JsonObject): boolean {
  return !isThought(part);
}

function isThought(part: JsonObject): boolean {
  return /thinking|reasoning/.test(stringOf(part["type"]) ?? "") || part["thinking"] !== undefined;
}

/** DashScope streams the string "null" (or null) until the end. */
function finishReasonOf(holder: JsonObject): string | null {
  const reason = nonEmpty(holder["finish_reason"]);
  return reason === "null" ? null : reason;
}
