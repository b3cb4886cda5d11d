import type { Protocol } from "../types.js";
import { isRecord, type JsonRecord } from "./json.js";

/**
 * Where a call came in: the compatible path, its Batch Chat twin (calls held open), or one of the native
 * families.
 */
export type Endpoint = "compatible" | "batch-chat" | "text" | "multimodal";

export interface ChatMessage {
  readonly role: string;
  /** All text parts, joined. */
  readonly text: string;
  readonly images: readonly string[];
  readonly videos: readonly string[];
  readonly partial: boolean;
  /** Content is an array of parts, which text-only models do not take. */
  readonly hasParts: boolean;
  /** As received: absent, null and wrong types are for the rules to refuse. */
  readonly content: unknown;
  readonly hasToolCalls: boolean;
}

/** A call of either protocol, read but not judged. */
export interface ChatRequest {
  readonly protocol: Protocol;
  readonly endpoint: Endpoint;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  /** The compatible body itself, or the native body's `parameters`. */
  readonly parameters: JsonRecord;
  readonly stream: boolean;
}

export function protocolOf(endpoint: Endpoint): Protocol {
  return endpoint === "text" || endpoint === "multimodal" ? "dashscope" : "openai";
}

/** `sse` is the native header `X-DashScope-SSE: enable`; the compatible path says `stream` in its body. */
export function readChatRequest(body: JsonRecord, endpoint: Endpoint, sse: boolean): ChatRequest {
  const protocol = protocolOf(endpoint);
  const native = protocol === "dashscope";
  const input = isRecord(body["input"]) ? body["input"] : {};
  const messages = native ? nativeMessages(input) : body["messages"];
  return {
    protocol,
    endpoint,
    model: typeof body["model"] === "string" ? body["model"] : "",
    messages: Array.isArray(messages) ? messages.map(readMessage) : [],
    parameters: native ? (isRecord(body["parameters"]) ? body["parameters"] : {}) : body,
    stream: native ? sse : body["stream"] === true,
  };
}

/** A native text call may give a `prompt` in place of messages. */
export function nativeMessages({ messages, prompt }: JsonRecord): unknown {
  return messages === undefined && typeof prompt === "string"
    ? [{ role: "user", content: prompt }]
    : messages;
}

function readMessage(message: unknown): ChatMessage {
  const record = isRecord(message) ? message : {};
  const content = record["content"];
  const images: string[] = [];
  const videos: string[] = [];
  let text = typeof content === "string" ? content : "";
  if (Array.isArray(content)) {
    const texts: string[] = [];
    for (const part of content) readPart(part, texts, images, videos);
    text = texts.join("\n");
  }
  return {
    role: typeof record["role"] === "string" ? record["role"] : "",
    text,
    images,
    videos,
    partial: record["partial"] === true,
    hasParts: Array.isArray(content),
    content,
    hasToolCalls: Array.isArray(record["tool_calls"]),
  };
}

function readPart(part: unknown, texts: string[], images: string[], videos: string[]): void {
  if (!isRecord(part)) return;
  if (typeof part["text"] === "string") texts.push(part["text"]);
  const image = addressOf(part["image_url"] ?? part["image"]);
  if (image !== null) images.push(image);
  const video = addressOf(part["video_url"] ?? part["video"]);
  if (video !== null) videos.push(video);
}

function addressOf(value: unknown): string | null {
  if (isRecord(value)) return typeof value["url"] === "string" ? value["url"] : "";
  if (Array.isArray(value)) return typeof value[0] === "string" ? value[0] : "";
  return typeof value === "string" ? value : null;
}

/** The text of the last message of role user; empty when there is none. */
export function lastUserText(request: ChatRequest): string {
  for (let index = request.messages.length - 1; index >= 0; index--) {
    const message = request.messages[index];
    if (message?.role === "user") return message.text;
  }
  return "";
}

/** The texts of all messages. */
export function promptText(request: ChatRequest): string {
  return request.messages.map((message) => message.text).join("\n");
}

/** Whether thinking is on: as asked, else the model's default. */
export function isThinking(request: ChatRequest, byDefault: "none" | "off" | "on" | "only"): boolean {
  if (byDefault === "only") return true;
  const asked = request.parameters["enable_thinking"];
  return typeof asked === "boolean" ? asked : byDefault === "on";
}
