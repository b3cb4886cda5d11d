import { createHash } from "node:crypto";

import { nativeMessages } from "./chat-request.js";
import { canonicalJson, isRecord, type JsonRecord } from "./json.js";

/** How a call is carried, not what it asks: these never make two calls different requests. */
const transportKeys = new Set([
  "stream",
  "stream_options",
  "incremental_output",
  "result_format",
  "model",
  "messages",
  "input",
]);

/**
 * Identifies a request: 64 hexadecimal digits, the SHA-256 of model, messages and parameters as
 * canonical JSON. `body` is a request body of either protocol; the same question asked by both has one
 * fingerprint, streamed or not. Anything that is no object gives the fingerprint of an empty request.
 */
export function requestFingerprint(body: unknown): string {
  const request = isRecord(body) ? body : {};
  const input = isRecord(request["input"]) ? request["input"] : null;
  const parameters = input === null ? request : isRecord(request["parameters"]) ? request["parameters"] : {};
  const messages = input === null ? request["messages"] : nativeMessages(input);
  const text = canonicalJson([
    request["model"] ?? null,
    Array.isArray(messages) ? messages.map(neutralMessage) : null,
    withoutTransport(parameters),
  ]);
  return createHash("sha256").update(text).digest("hex");
}

function withoutTransport(parameters: JsonRecord): JsonRecord {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parameters)) {
    if (!transportKeys.has(key)) kept[key] = value;
  }
  return kept;
}

/** The multimodal native endpoint writes text as `[{text}]` and images as `{image}`; both protocols meet here. */
function neutralMessage(message: unknown): unknown {
  if (!isRecord(message) || !Array.isArray(message["content"])) return message;
  const parts = message["content"].map(neutralPart);
  const onlyText = parts.length === 1 && isRecord(parts[0]) ? parts[0]["text"] : undefined;
  return { ...message, content: typeof onlyText === "string" ? onlyText : parts };
}

function neutralPart(part: unknown): unknown {
  if (!isRecord(part)) return part;
  if (typeof part["text"] === "string") return { text: part["text"] };
  for (const kind of ["image", "video"]) {
    const compatible = part[`${kind}_url`];
    if (isRecord(compatible)) return { [kind]: compatible["url"] };
    if (kind in part) return { [kind]: part[kind] };
  }
  return part;
}

/**
 * A number in [0, 1) that depends on nothing but its arguments: the simulator's only randomness.
 * `salt` keeps draws for different purposes and different calls of a request apart.
 */
export function drawUniform(seed: number, fingerprint: string, salt: number): number {
  let state = Number.parseInt(fingerprint.slice(0, 8), 16) ^ Number.parseInt(fingerprint.slice(8, 16), 16);
  state = mix(state ^ mix(seed | 0));
  state = mix(state + Math.imul(salt | 0, 0x9e3779b9));
  return (state >>> 0) / 0x1_0000_0000;
}

/** Finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(value: number): number {
  let state = value | 0;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return state ^ (state >>> 16);
}
