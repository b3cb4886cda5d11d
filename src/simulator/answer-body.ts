import { isThinking, type ChatRequest } from "./chat-request.js";
import type { SimulatedAnswer } from "./answers/compose-answer.js";
import { choiceError } from "./finish-reasons.js";
import { logProbabilities } from "./log-probabilities.js";
import type { Markers } from "./markers.js";
import type { ModelTraits } from "./model-traits.js";
import { usageBody } from "./usage.js";
import { jsonText, usageInShape } from "./usage-shapes.js";

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

/** `usage` as the protocol and model word it, or in the shape asked for; undefined for none. */
export function envelopeUsage({ request, traits, markers, answer }: AnswerEnvelope): unknown {
  const { protocol, endpoint } = request;
  const usual = usageBody(answer.usage, {
    protocol,
    multimodal: endpoint === "multimodal" || (protocol === "openai" && answer.usage.image > 0),
    thinking: isThinking(request, traits.thinking),
  });
  // qwen-mt sends null for the details, and none by the native protocol.
  const ownShape = traits.translation === null ? undefined : protocol === "openai" ? "null_details" : "plain";
  return usageInShape(markers.usage ?? ownShape, answer.usage, usual, protocol);
}

/** The body of an answer that is not streamed, in the request's protocol. */
export function answerBody(envelope: AnswerEnvelope): string {
  const native = envelope.request.protocol === "dashscope";
  return jsonText(native ? nativeBody(envelope) : compatibleBody(envelope), envelope.markers.usage);
}

function compatibleBody(envelope: AnswerEnvelope): Record<string, unknown> {
  const { request, answer, markers, requestId } = envelope;
  const message = {
    role: "assistant",
    content: markers.text === "parts" ? contentParts(answer) : answer.text,
    reasoning_content: (markers.text === "parts" ? null : answer.reasoning) ?? undefined,
    tool_calls: answer.toolCalls ?? undefined,
  };
  const choices = typeof request.parameters["n"] === "number" ? request.parameters["n"] : 1;
  return {
    choices: Array.from({ length: choices }, (_, index) => ({
      message,
      finish_reason: answer.finishReason,
      index,
      logprobs: logProbabilities(answer.text, request),
      ...choiceError(markers.finish),
    })),
    object: "chat.completion",
    usage: envelopeUsage(envelope),
    created: envelope.created,
    system_fingerprint: null,
    model: request.model,
    id: `chatcmpl-${requestId}`,
  };
}

/** As Mistral's reasoning models answer. */
function contentParts({ text, reasoning }: SimulatedAnswer): unknown[] {
  const thinking =
    reasoning === null ? [] : [{ type: "thinking", thinking: [{ type: "text", text: reasoning }] }];
  const middle = Math.ceil(text.length / 2);
  const halves = [text.slice(0, middle), text.slice(middle)];
  return [...thinking, ...halves.map((half) => ({ type: "text", text: half }))];
}

function nativeBody(envelope: AnswerEnvelope): Record<string, unknown> {
  const { answer } = envelope;
  return {
    output: nativeOutput(envelope, answer.text, answer.reasoning, answer.finishReason),
    usage: envelopeUsage(envelope),
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
  finishReason: string | null,
): Record<string, unknown> {
  const { request, answer, traits, markers } = envelope;
  const multimodal = request.endpoint === "multimodal";
  const asMessage =
    multimodal || traits.thinking === "only" || request.parameters["result_format"] === "message";
  if (!asMessage) return { finish_reason: finishReason, text };
  const message = {
    role: "assistant",
    content: multimodal ? (text === "" ? [] : [{ text }]) : text,
    reasoning_content: reasoning ?? undefined,
    tool_calls: answer.toolCalls ?? undefined,
  };
  const logprobs = logProbabilities(text, request) ?? undefined;
  return { choices: [{ finish_reason: finishReason, message, logprobs, ...choiceError(markers.finish) }] };
}
