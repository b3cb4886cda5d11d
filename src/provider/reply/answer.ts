import type { Answer, ModelRequest, Usage } from "../../types.js";
import { textOf } from "../encode-request.js";
import { ProviderError } from "../provider.js";
import { safeId, safeText } from "../redact.js";
import { finishMeaning } from "./finish-reason.js";
import type { Reply } from "./reply.js";
import { splitThoughts } from "./thinking.js";
import { readUsage } from "./usage.js";

/** What an answer is read with, beside what the server replied. */
export interface AnswerContext {
  readonly request: ModelRequest;
  readonly thinking: boolean;
  readonly requestId: string | null;
  readonly apiKey: string | null;
}

/**
 * Makes the answer out of what the server replied, or a ProviderError that keeps the usage of a reply that
 * was billed and cannot be used. A partial-mode prefix stands before the model's continuation; thoughts that
 * stand at the start of the text are parted from it unless the job wants them there.
 */
export function answerOf(reply: Reply | null, context: AnswerContext): Answer {
  const requestId = safeId(reply?.requestId ?? context.requestId, context.apiKey);
  if (reply === null) throw unusable("the answer has neither choices nor text", null, requestId);
  const usage = usageOf(reply, context.thinking);
  if (reply.refusal !== null && (reply.text === null || reply.text === "")) {
    throw filtered(
      `the model refused to answer: ${safeText(reply.refusal, context.apiKey)}`,
      usage,
      requestId,
    );
  }
  const meaning = reply.finishReason === null ? null : finishMeaning(reply.finishReason);
  if (meaning === "filtered" && (reply.text === null || reply.text === "")) {
    throw filtered("the provider's content check refused the input or the output", usage, requestId);
  }
  // A cut-off answer may be all thinking, and tool calls need no text.
  if (reply.text === null && reply.toolCalls === null && meaning !== "cut") {
    throw unusable("the answer has no message text", usage, requestId);
  }
  const { text, reasoning } = textAndThoughts(reply, context.request);
  const answer: Answer = {
    text,
    reasoning,
    finishReason: reply.finishReason ?? (reply.toolCalls === null ? "unknown" : "tool_calls"),
    usage: usage === null || reasoning === null ? usage : { ...usage, thinking: true },
    requestId,
  };
  const { toolCalls, logprobs } = reply;
  if (toolCalls === null && logprobs === null) return answer;
  return { ...answer, ...(toolCalls !== null && { toolCalls }), ...(logprobs !== null && { logprobs }) };
}

function textAndThoughts(reply: Reply, request: ModelRequest): Pick<Answer, "text" | "reasoning"> {
  const prefix = request.messages.at(-1);
  const text = (prefix?.partial === true ? textOf(prefix.content) : "") + (reply.text ?? "");
  if (request.parameters.thinkTags === "keep") return { text, reasoning: reply.reasoning };
  const parted = splitThoughts(text);
  if (reply.reasoning === null || parted.reasoning === null) {
    return { text: parted.text, reasoning: reply.reasoning ?? parted.reasoning };
  }
  return { text: parted.text, reasoning: `${reply.reasoning}\n\n${parted.reasoning}` };
}

/** The usage with its thinking mark: the rate may depend on it. null when it is not known. */
export function usageOf(reply: Reply, thinking: boolean): Usage | null {
  const { text, reasoning, toolCalls, model } = reply;
  const hasOutput = (text ?? "") !== "" || reasoning !== null || toolCalls !== null;
  const usage = readUsage(reply.usage, { hasOutput, model });
  if (usage === null) return null;
  const thought = thinking || reasoning !== null || usage.reasoningTokens > 0;
  return thought ? { ...usage, thinking: true } : usage;
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
