import type { Answer, ModelRequest, Usage } from "../../types.js";
import { textOf } from "../encode-request.js";
import { ProviderError } from "../provider.js";
import { safeText } from "../redact.js";
import type { Reply } from "./reply.js";

const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };

/**
 * Makes the answer out of what the server replied, or a ProviderError that keeps the usage of a reply that
 * was billed and cannot be used. A partial-mode prefix stands before the model's continuation. A server that
 * counts nothing (some local ones) yields zeros.
 */
export function answerOf(
  reply: Reply | null,
  request: ModelRequest,
  thinking: boolean,
  headerRequestId: string | null,
  apiKey: string | null,
): Answer {
  const usage = reply === null ? null : usageOf(reply, thinking);
  const requestId = reply?.requestId ?? headerRequestId;
  if (reply === null) throw unusable("the answer has neither choices nor text", usage, requestId);
  if (reply.refusal !== null && (reply.text === null || reply.text === "")) {
    throw filtered(`the model refused to answer: ${safeText(reply.refusal, apiKey)}`, usage, requestId);
  }
  const { finishReason } = reply;
  if (finishReason === "content_filter" && (reply.text === null || reply.text === "")) {
    throw filtered("the provider's content check refused the input or the output", usage, requestId);
  }
  // A cut-off answer may be all thinking, and tool calls need no text.
  if (reply.text === null && reply.toolCalls === null && finishReason !== "length") {
    throw unusable("the answer has no message text", usage, requestId);
  }
  const prefix = request.messages.at(-1);
  const text = reply.text ?? "";
  return {
    text: prefix?.partial === true ? textOf(prefix.content) + text : text,
    reasoning: reply.reasoning,
    finishReason: finishReason ?? (reply.toolCalls === null ? "unknown" : "tool_calls"),
    ...(reply.toolCalls !== null && { toolCalls: reply.toolCalls }),
    ...(reply.logprobs !== null && { logprobs: reply.logprobs }),
    usage: usage ?? (thinking ? { ...NO_USAGE, thinking: true } : NO_USAGE),
    requestId,
  };
}

/** The usage with its thinking mark: the rate may depend on it. null when the server counted nothing. */
export function usageOf(reply: Pick<Reply, "usage" | "reasoning">, thinking: boolean): Usage | null {
  if (reply.usage === null) return null;
  const thought = thinking || reply.reasoning !== null || reply.usage.reasoningTokens > 0;
  return thought ? { ...reply.usage, thinking: true } : reply.usage;
}

/** An answer that cannot be read: worth another attempt, and paid for when it came with usage. */
export function unusable(
  message: string,
  usage: Usage | null,
  requestId: string | null,
  code = "bad_response",
): ProviderError {
  return new ProviderError(message, {
    disposition: "retryable",
    kind: "bad_response",
    code,
    httpStatus: 200,
    requestId,
    usage,
  });
}

function filtered(message: string, usage: Usage | null, requestId: string | null): ProviderError {
  return new ProviderError(message, {
    disposition: "row",
    kind: "content_filter",
    code: "content_filter",
    httpStatus: 200,
    requestId,
    usage,
  });
}
