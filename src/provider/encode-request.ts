import type { ContentPart, Message, ModelRequest, Parameters, Protocol } from "../types.js";
import type { CallPlan } from "./call-plan.js";
import type { NativeFamily } from "./models.js";

type WireObject = Record<string, unknown>;

/**
 * Names on the wire, the same for both protocols. Source: chat and DashScope API reference, mid-2026.
 * `enableThinking` is stated by the call plan, `responseFormat` and `extra` have shapes of their own.
 */
const WIRE_NAMES: Readonly<
  Record<Exclude<keyof Parameters, "enableThinking" | "responseFormat" | "thinkTags" | "extra">, string>
> = {
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
  presencePenalty: "presence_penalty",
  repetitionPenalty: "repetition_penalty",
  seed: "seed",
  maxTokens: "max_tokens",
  maxCompletionTokens: "max_completion_tokens",
  stop: "stop",
  thinkingBudget: "thinking_budget",
  reasoningEffort: "reasoning_effort",
  logprobs: "logprobs",
  topLogprobs: "top_logprobs",
  tools: "tools",
  toolChoice: "tool_choice",
  parallelToolCalls: "parallel_tool_calls",
  enableSearch: "enable_search",
  searchOptions: "search_options",
  vlHighResolutionImages: "vl_high_resolution_images",
  translationOptions: "translation_options",
};

/**
 * The body of an OpenAI-compatible call: every parameter at the top level (`extra_body` exists in SDKs
 * only), `extra` last so that it wins over ours.
 */
export function openAiBody(request: ModelRequest, plan: CallPlan): string {
  const body: WireObject = { model: request.model, messages: request.messages.map(openAiMessage) };
  if (plan.stream) {
    body["stream"] = true;
    body["stream_options"] = { include_usage: true };
  }
  return JSON.stringify(withParameters(body, request.parameters, plan));
}

/**
 * The body of a native DashScope call. `result_format: message` always: the default shape differs by model.
 * Streams are asked for in increments: the default repeats the whole text in every chunk.
 */
export function dashScopeBody(request: ModelRequest, plan: CallPlan, family: NativeFamily): string {
  const toWire = family === "multimodal-generation" ? multimodalMessage : textMessage;
  const parameters: WireObject = { result_format: "message" };
  if (plan.stream) parameters["incremental_output"] = true;
  return JSON.stringify({
    model: request.model,
    input: { messages: request.messages.map(toWire) },
    parameters: withParameters(parameters, request.parameters, plan),
  });
}

/** Whether a part's URL is one of the vendor's temporary uploads, which need a header of their own. */
export function hasVendorUpload(request: ModelRequest): boolean {
  return request.messages.some(
    (message) =>
      typeof message.content !== "string" &&
      message.content.some((part) => part.type !== "text" && part.url.startsWith("oss://")),
  );
}

/** The text of a message, media left out. */
export function textOf(content: Message["content"]): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

/** Whether a message holds an image or a video: only then must its content be an array of parts. */
export function hasMedia(content: Message["content"]): boolean {
  return typeof content !== "string" && content.some((part) => part.type !== "text");
}

export const PROTOCOL_PATHS = {
  openai: "/chat/completions",
  "text-generation": "/services/aigc/text-generation/generation",
  "multimodal-generation": "/services/aigc/multimodal-generation/generation",
} as const satisfies Record<Exclude<Protocol, "dashscope"> | NativeFamily, string>;

function withParameters(body: WireObject, parameters: Parameters, plan: CallPlan): WireObject {
  for (const name in parameters) {
    const key = name as keyof Parameters;
    const value = parameters[key];
    if (value === undefined || key === "enableThinking" || key === "thinkTags" || key === "extra") continue;
    if (key === "responseFormat") body["response_format"] = responseFormat(parameters.responseFormat);
    else body[WIRE_NAMES[key]] = value;
  }
  if (plan.enableThinking !== undefined) body["enable_thinking"] = plan.enableThinking;
  return parameters.extra === undefined ? body : { ...body, ...parameters.extra };
}

function responseFormat(format: Parameters["responseFormat"]): unknown {
  return format?.type === "json_schema" ? { type: format.type, json_schema: format.jsonSchema } : format;
}

function openAiMessage(message: Message): unknown {
  const { content } = message;
  if (typeof content === "string" && message.toolCallId === undefined && message.toolCalls === undefined) {
    // Already in wire shape: the usual row costs no copy.
    return message;
  }
  return wireMessage(
    message,
    hasMedia(content) && typeof content !== "string" ? content.map(openAiPart) : textOf(content),
  );
}

function textMessage(message: Message): unknown {
  const { content } = message;
  if (hasMedia(content)) return multimodalMessage(message);
  return wireMessage(message, textOf(content));
}

/** The multimodal service takes arrays throughout, also for a system message. */
function multimodalMessage(message: Message): unknown {
  const { content } = message;
  return wireMessage(message, typeof content === "string" ? [{ text: content }] : content.map(nativePart));
}

function wireMessage(message: Message, content: unknown): WireObject {
  const wire: WireObject = { role: message.role, content };
  if (message.partial !== undefined) wire["partial"] = message.partial;
  if (message.toolCallId !== undefined) wire["tool_call_id"] = message.toolCallId;
  if (message.toolCalls !== undefined) wire["tool_calls"] = message.toolCalls;
  return wire;
}

function openAiPart(part: ContentPart): unknown {
  if (part.type === "text") return { type: "text", text: part.text };
  if (part.type === "image") return { type: "image_url", image_url: { url: part.url } };
  return { type: "video_url", video_url: { url: part.url } };
}

function nativePart(part: ContentPart): unknown {
  if (part.type === "text") return { text: part.text };
  return part.type === "image" ? { image: part.url } : { video: part.url };
}
