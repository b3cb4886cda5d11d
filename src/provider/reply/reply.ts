import type { Usage } from "../../types.js";
import { arrayOf, nonEmpty, objectOf, stringOf } from "../json-value.js";
import type { JsonObject } from "../json-value.js";
import { readUsage } from "./usage.js";

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
  readonly usage: Usage | null;
  readonly requestId: string | null;
}

/**
 * Reads one body or one streamed chunk of either protocol: `choices[].message`, `choices[].delta`,
 * `output.choices[].message`, `output.text`. Content may be a string or an array of `{text}` parts.
 *
 * null when it has neither choices nor text nor usage. Only the first choice is read: n is always 1.
 */
export function readReply(body: unknown): Reply | null {
  const outer = objectOf(body);
  if (outer === null) return null;
  const holder = objectOf(outer["output"]) ?? outer;
  const choices = arrayOf(holder["choices"]);
  const usage = readUsage(outer["usage"]);
  const requestId = nonEmpty(outer["request_id"]) ?? nonEmpty(outer["id"]);
  const choice = objectOf(choices?.[0]);
  if (choice !== null) {
    const message = objectOf(choice["message"]) ?? objectOf(choice["delta"]) ?? {};
    const toolCalls = arrayOf(message["tool_calls"]);
    return {
      text: contentText(message["content"]),
      // vLLM and OpenRouter say `reasoning`.
      reasoning: nonEmpty(message["reasoning_content"]) ?? nonEmpty(message["reasoning"]),
      finishReason: finishReasonOf(choice),
      toolCalls: toolCalls === null || toolCalls.length === 0 ? null : toolCalls,
      logprobs: arrayOf(objectOf(choice["logprobs"])?.["content"]),
      refusal: nonEmpty(message["refusal"]),
      usage,
      requestId,
    };
  }
  const text = stringOf(holder["text"]);
  if (text === null && choices === null && usage === null) return null;
  const finishReason = text === null ? null : finishReasonOf(holder);
  const none = { reasoning: null, toolCalls: null, logprobs: null, refusal: null };
  return { ...none, text, finishReason, usage, requestId };
}

function contentText(content: unknown): string | null {
  if (typeof content === "string") return content;
  const parts = arrayOf(content);
  if (parts === null) return null;
  let text = "";
  for (const part of parts) text += stringOf(part) ?? stringOf(objectOf(part)?.["text"]) ?? "";
  return text;
}

/** DashScope streams the string "null" (or null) until the end. */
function finishReasonOf(holder: JsonObject): string | null {
  const reason = nonEmpty(holder["finish_reason"]);
  return reason === "null" ? null : reason;
}
