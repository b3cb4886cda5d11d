import { type AnswerEnvelope, envelopeUsage, nativeOutput } from "./answer-body.js";
import { errorBody } from "./error-body.js";
import type { TransportFault } from "./faults.js";
import { choiceError } from "./finish-reasons.js";
import { isRecord } from "./json.js";
import { logProbabilities } from "./log-probabilities.js";
import { endOfCharacter, estimateTokens } from "./token-estimate.js";
import type { SimulatedUsage } from "./usage.js";
import { jsonText } from "./usage-shapes.js";
import { vendorErrors } from "./vendor-errors.js";

/** Most pieces that a text is streamed in. */
const maxPieces = 40;
const minPieceLength = 8;

/** The whole stream of an answer as server-sent events, each with its blank line. */
export function answerEvents(envelope: AnswerEnvelope): string[] {
  return envelope.request.protocol === "dashscope" ? nativeEvents(envelope) : compatibleEvents(envelope);
}

/** Reasoning comes before content, the finish in a chunk of its own, usage last with no choices, then [DONE]. */
function compatibleEvents(envelope: AnswerEnvelope): string[] {
  const { request, answer, traits, markers } = envelope;
  const options = request.parameters["stream_options"];
  const includeUsage = !request.stream || (isRecord(options) && options["include_usage"] === true);
  const chunk = (choices: unknown[], usage: unknown): string => {
    const data = {
      choices,
      object: "chat.completion.chunk",
      usage,
      created: envelope.created,
      system_fingerprint: null,
      model: request.model,
      id: `chatcmpl-${envelope.requestId}`,
    };
    return `data: ${jsonText(data, markers.usage)}\n\n`;
  };
  const delta = (content: Record<string, unknown>, more: Record<string, unknown> = {}): string =>
    chunk([{ delta: content, finish_reason: null, index: 0, logprobs: logprobsOf(content), ...more }], null);

  // Of an increment: a cumulative stream comes from models that give none.
  const logprobsOf = ({ content }: Record<string, unknown>): unknown =>
    typeof content === "string" && content !== "" ? logProbabilities(content, request) : null;
  const opening = answer.reasoning === null ? { content: "" } : { content: null, reasoning_content: "" };
  const events = [delta({ role: "assistant", ...opening })];
  for (const piece of pieces(answer.reasoning ?? "")) {
    events.push(delta({ content: null, reasoning_content: piece }));
  }
  let sent = "";
  for (const piece of pieces(answer.text)) {
    sent += piece;
    const content = traits.translation === "cumulative" ? sent : piece;
    events.push(delta(answer.reasoning === null ? { content } : { content, reasoning_content: null }));
  }
  for (const call of answer.toolCalls ?? []) events.push(...toolCallDeltas(call, delta));
  // A cumulative stream repeats the whole text even here.
  const last = { content: traits.translation === "cumulative" ? sent : "" };
  events.push(delta(last, { finish_reason: answer.finishReason, ...choiceError(markers.finish) }));
  const usage = includeUsage ? envelopeUsage(envelope) : undefined;
  if (usage !== undefined) events.push(chunk([], usage));
  events.push("data: [DONE]\n\n");
  return events;
}

/** Name and id come once, arguments in pieces, as OpenAI clients assemble them. */
function toolCallDeltas(
  call: { id: string; type: string; index: number; function: { name: string; arguments: string } },
  delta: (content: Record<string, unknown>) => string,
): string[] {
  const { id, type, index } = call;
  const start = { id, type, index, function: { name: call.function.name, arguments: "" } };
  return [
    delta({ content: null, tool_calls: [start] }),
    ...pieces(call.function.arguments).map((part) =>
      delta({ content: null, tool_calls: [{ id: "", type, index, function: { arguments: part } }] }),
    ),
  ];
}

/**
 * Cumulative unless `incremental_output` is true; finish_reason is the string "null" until the last event.
 * Usage grows from event to event: only the last one says what the call cost.
 */
function nativeEvents(envelope: AnswerEnvelope): string[] {
  const { request, answer, markers, requestId } = envelope;
  const incremental = request.parameters["incremental_output"] === true;
  const events: string[] = [];
  const push = (text: string, reasoning: string | null, output: number | null): void => {
    const shown: AnswerEnvelope =
      output === null
        ? envelope
        : {
            ...envelope,
            markers: { ...markers, finish: "null" },
            answer: { ...answer, toolCalls: null, usage: usageSoFar(answer.usage, output) },
          };
    const data = {
      output: nativeOutput(shown, text, reasoning, output === null ? answer.finishReason : "null"),
      usage: envelopeUsage(shown),
      request_id: requestId,
    };
    events.push(nativeEvent(events.length + 1, "result", 200, jsonText(data, markers.usage)));
  };

  let reasoning = "";
  for (const piece of pieces(answer.reasoning ?? "")) {
    reasoning += piece;
    push("", incremental ? piece : reasoning, estimateTokens(reasoning));
  }
  let text = "";
  const silent = answer.reasoning === null ? null : incremental ? "" : reasoning;
  for (const piece of pieces(answer.text)) {
    text += piece;
    push(incremental ? piece : text, silent, answer.usage.reasoning + estimateTokens(text));
  }
  push(incremental ? "" : text, silent, null);
  return events;
}

function usageSoFar(usage: SimulatedUsage, output: number): SimulatedUsage {
  const most = Math.min(output, usage.output);
  return { ...usage, output: most, reasoning: Math.min(most, usage.reasoning) };
}

function nativeEvent(id: number, event: "result" | "error", status: number, data: string): string {
  return `id:${id}\nevent:${event}\n:HTTP_STATUS/${status}\ndata:${data}\n\n`;
}

/**
 * What ends a stream that fails after it began with 200. On the compatible path a throttled stream carries
 * the native error frame inside its message, as seen in public issues; other errors come as an error object,
 * or in a line of its own as llama.cpp sends it.
 */
export function errorEvent(envelope: AnswerEnvelope, id: number, fault: TransportFault): string {
  const throttled = fault === "stream_throttled";
  const error = throttled ? vendorErrors.token_quota : vendorErrors.server_error;
  const native = nativeEvent(id, "error", error.status, errorBody(error, "dashscope", envelope.requestId));
  if (fault === "stream_error_line") {
    return `error: ${JSON.stringify({ code: 500, message: error.message })}\n\n`;
  }
  if (envelope.request.protocol === "dashscope") return native;
  const framed = throttled ? { ...error, message: native.trimEnd() } : error;
  return `data: ${errorBody(framed, "openai", envelope.requestId)}\n\n`;
}

/** A text in pieces of equal length that never split a character; none for an empty text. */
export function pieces(text: string): string[] {
  const length = Math.max(minPieceLength, Math.ceil(text.length / maxPieces));
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    const end = start + length >= text.length ? text.length : endOfCharacter(text, start + length);
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}
