import { type ChatRequest, isThinking, lastUserText } from "../chat-request.js";
import type { AnswerFault } from "../faults.js";
import { finishReason, keptText } from "../finish-reasons.js";
import { isRecord } from "../json.js";
import type { Markers } from "../markers.js";
import { withoutMarkers } from "../markers.js";
import type { ModelTraits } from "../model-traits.js";
import { estimateTokens, truncateToTokens } from "../token-estimate.js";
import type { SimulatedUsage } from "../usage.js";
import { shapedUsage } from "../usage-shapes.js";
import { inputTokens } from "./input-tokens.js";
import { askedSchema, structuredText, unfitText } from "./structured-text.js";
import { answerText } from "./task.js";
import { type SimulatedToolCall, toolCalls } from "./tool-calls.js";

/** An answer before it is put into a protocol's words. */
export interface SimulatedAnswer {
  readonly text: string;
  readonly reasoning: string | null;
  readonly toolCalls: readonly SimulatedToolCall[] | null;
  readonly finishReason: string | null;
  readonly usage: SimulatedUsage;
}

export interface AnswerCircumstances {
  readonly traits: ModelTraits;
  readonly markers: Markers;
  readonly fault: AnswerFault | null;
  /** [0, 1); what the answer's accidents depend on. */
  readonly draw: number;
  /** Tells this call's identifiers from others'. */
  readonly callId: string;
  /** Which of the texts that a temperature makes possible; 0 at temperature 0. */
  readonly variant: number;
}

/** Answers a request that was found good. Depends on nothing but its arguments. */
export function composeAnswer(request: ChatRequest, circumstances: AnswerCircumstances): SimulatedAnswer {
  const { traits, markers, fault, callId, variant } = circumstances;
  const tags = markers.text === undefined ? undefined : thinkTags[markers.text];
  const thought = reasoningText(request, markers);
  const reasoning = tags === undefined && isThinking(request, traits.thinking) ? thought : null;
  const reasoningTokens = reasoning === null ? 0 : estimateTokens(reasoning);
  const plain = plainText(request, traits, variant);
  const calls =
    markers.answer === undefined && fault === null ? toolCalls(request, plain, { callId, variant }) : null;
  const said = calls !== null ? "" : (markers.answer ?? wantedText(request, plain, circumstances));
  const whole = tags === undefined ? said : tags(thought, said);
  const cut = cutToLimits(whole, request, reasoningTokens, circumstances);
  const callTokens = calls === null ? 0 : estimateTokens(JSON.stringify(calls));
  return {
    text: cut.text,
    reasoning,
    toolCalls: calls,
    finishReason:
      markers.finish === undefined
        ? calls === null
          ? cut.finishReason
          : "tool_calls"
        : finishReason(markers.finish),
    usage: usageOf(request, markers, estimateTokens(cut.text) + callTokens, reasoningTokens),
  };
}

/** What stands in the content of models whose server does not take the reasoning out. */
const thinkTags: Readonly<Record<string, (thought: string, said: string) => string>> = {
  think: (thought, said) => `<think>\n${thought}\n</think>\n\n${said}`,
  think_unopened: (thought, said) => `${thought}\n</think>\n\n${said}`,
  think_unclosed: (thought) => `<think>\n${thought}`,
};

function plainText(request: ChatRequest, traits: ModelTraits, variant: number): string {
  const user = withoutMarkers(lastUserText(request));
  const options = request.parameters["translation_options"];
  if (traits.translation !== null && isRecord(options)) return translate(user, options);
  const last = request.messages.at(-1);
  if (last?.partial === true)
    return ` … and so on, [simulated] continuation of ${last.text.length} characters.`;
  const system = request.messages
    .filter((message) => message.role === "system")
    .map((message) => message.text);
  const images = request.messages.reduce((count, message) => count + message.images.length, 0);
  const videos = request.messages.reduce((count, message) => count + message.videos.length, 0);
  const seen = [images > 0 ? `${images} image(s)` : "", videos > 0 ? `${videos} video(s)` : ""].filter(
    Boolean,
  );
  const plain = answerText(withoutMarkers(system.join("\n")), user);
  const text = variant === 0 ? plain : `${plain} (variant ${variant})`;
  return seen.length === 0 ? text : `[simulated] Looked at ${seen.join(" and ")}. ${text}`;
}

/** qwen-mt: the text in the frame of its target language, with the glossary's terms put in. */
function translate(text: string, options: Readonly<Record<string, unknown>>): string {
  let translated = text;
  for (const pair of Array.isArray(options["terms"]) ? options["terms"] : []) {
    if (isRecord(pair)) translated = translated.replaceAll(String(pair["source"]), String(pair["target"]));
  }
  return `[simulated ${String(options["target_lang"])}] ${translated}`;
}

function wantedText(request: ChatRequest, plain: string, circumstances: AnswerCircumstances): string {
  const { fault, draw, variant } = circumstances;
  if (fault === "content_filter" || fault === "empty_answer") return "";
  const asked = askedSchema(request);
  if (fault === "invalid_json_output") return unfitText(asked, plain, draw);
  const text = asked === null ? plain : structuredText(asked, plain, variant);
  return fault === "fenced_json_output" ? `\`\`\`json\n${text}\n\`\`\`` : text;
}

function cutToLimits(
  whole: string,
  request: ChatRequest,
  reasoningTokens: number,
  { fault, markers }: AnswerCircumstances,
): { text: string; finishReason: string } {
  const { max_tokens: maxTokens, max_completion_tokens: maxCompletion, stop } = request.parameters;
  if (fault === "content_filter") return { text: "", finishReason: "content_filter" };
  let text = whole;
  for (const end of typeof stop === "string" ? [stop] : Array.isArray(stop) ? stop : []) {
    const at = typeof end === "string" && end !== "" ? text.indexOf(end) : -1;
    if (at >= 0) text = text.slice(0, at);
  }
  // max_tokens leaves thinking out, max_completion_tokens counts it.
  let limit = Math.min(
    typeof maxTokens === "number" ? maxTokens : Infinity,
    typeof maxCompletion === "number" ? Math.max(0, maxCompletion - reasoningTokens) : Infinity,
  );
  const kept = fault === "truncated_answer" ? "half" : keptText(markers.finish);
  if (kept !== "whole") limit = Math.min(limit, kept === "half" ? Math.ceil(estimateTokens(text) / 2) : 0);
  const cut = truncateToTokens(text, limit);
  const isCut = cut.length < text.length || markers.text === "think_unclosed";
  return { text: cut, finishReason: isCut ? "length" : "stop" };
}

function reasoningText(request: ChatRequest, markers: Markers): string {
  const question = withoutMarkers(lastUserText(request)).replace(/\s+/g, " ").slice(0, 160);
  const text =
    markers.reasoning ??
    `[simulated reasoning] The user wrote: "${question}". A model would weigh this now. I take the plain way and answer.`;
  const budget = request.parameters["thinking_budget"];
  return typeof budget === "number" ? truncateToTokens(text, budget) : text;
}

function usageOf(
  request: ChatRequest,
  markers: Markers,
  textTokens: number,
  reasoningTokens: number,
): SimulatedUsage {
  const estimate = inputTokens(request);
  const input = markers.input_tokens ?? estimate.total;
  const usage = {
    input,
    output: markers.output_tokens ?? textTokens + reasoningTokens,
    reasoning: reasoningTokens,
    cachedInput: Math.min(input, markers.cached ?? 0),
    cacheWrite: markers.cache_write ?? 0,
    image: estimate.image,
    video: estimate.video,
  };
  return shapedUsage(usage, markers.usage);
}
