import { isThinking, type ChatRequest } from "./chat-request.js";
import type { SimulatedAnswer } from "./answers/compose-answer.js";
import { logProbabilities } from "./log-probabilities.js";
import type { Markers } from "./markers.js";
import type { ModelTraits } from "./model-traits.js";
import { usageBody } from "./usage.js";

/** What an answer's body says beside the answer. */
export interface AnswerEnvelope {
  readonly request: ChatRequest;
  readonly answer: SimulatedAnswer;
  readonly traits: ModelTraits;
  readonly markers: Markers;
  readonly requestId: string;
  /** Seconds since 1970. */
  readonly created: number;
}

/** `usage` as the protocol and model word it; null when a marker asks for none. */
export function envelopeUsage(envelope: AnswerEnvelope): Record<string, unknown> | null {
  const { request, traits, markers, answer } = envelope;
  if (markers.usage === "none") return null;
  return usageBody(answer.usage, {
    protocol: request.protocol,
    multimodal:
      request.endpoint === "multimodal" || (request.protocol === "openai" && answer.usage.image > 0),
    thinking: isThinking(request, traits.thinking),
    nullDetails: traits.translation !== null,
    plain: markers.usage === "plain",
  });
}

/** The body of an answer that is not streamed, in the request's protocol. */
export function answerBody(envelope: AnswerEnvelope): string {
  return JSON.stringify(
    envelope.request.protocol === "dashscope" ? nativeBody(envelope) : compatibleBody(envelope),
  );
}

function compatibleBody(envelope: AnswerEnvelope): Record<string, unknown> {
  const { request, answer, requestId } = envelope;
  const message = {
    role: "assistant",
    content: answer.text,
    ...(answer.reasoning === null ? {} : { reasoning_content: answer.reasoning }),
    ...(answer.toolCalls === null ? {} : { tool_calls: answer.toolCalls }),
  };
  const choices = typeof request.parameters["n"] === "number" ? request.parameters["n"] : 1;
  const usage = envelopeUsage(envelope);
  return {
    choices: Array.from({ length: choices }, (_, index) => ({
      message,
      finish_reason: answer.finishReason,
      index,
      logprobs: logProbabilities(answer.text, request),
    })),
    object: "chat.completion",
    ...(usage === null ? {} : { usage }),
    created: envelope.created,
    system_fingerprint: null,
    model: request.model,
    id: `chatcmpl-${requestId}`,
  };
}

function nativeBody(envelope: AnswerEnvelope): Record<string, unknown> {
  const { answer } = envelope;
  const usage = envelopeUsage(envelope);
  return {
    output: nativeOutput(envelope, answer.text, answer.reasoning, answer.finishReason),
    ...(usage === null ? {} : { usage }),
    request_id: envelope.requestId,
  };
}

/**
 * `output` of the native protocol: `{choices}` with `result_format: message` and always for multimodal
 * models (whose content is an array), else `{text, finish_reason}`.
 */
export function nativeOutput(
  envelope: AnswerEnvelope,
  text: string,
  reasoning: string | null,
  finishReason: string,
): Record<string, unknown> {
  const { request, answer, traits } = envelope;
  const multimodal = request.endpoint === "multimodal";
  const asMessage =
    multimodal || traits.thinking === "only" || request.parameters["result_format"] === "message";
  if (!asMessage) return { finish_reason: finishReason, text };
  const message = {
    role: "assistant",
    content: multimodal ? (text === "" ? [] : [{ text }]) : text,
    ...(reasoning === null ? {} : { reasoning_content: reasoning }),
    ...(answer.toolCalls === null ? {} : { tool_calls: answer.toolCalls }),
  };
  const logprobs = logProbabilities(text, request);
  return {
    choices: [{ finish_reason: finishReason, message, ...(logprobs === null ? {} : { logprobs }) }],
  };
}
