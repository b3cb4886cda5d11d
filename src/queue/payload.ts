import { z } from "zod";
import type { ModelRequest, Usage } from "../types.js";

/**
 * Version of what travels through the queue: payloads, tickets and finished results. A worker of another
 * version leaves a run alone instead of misreading it. Raise it with every change of meaning.
 */
export const PAYLOAD_VERSION = 1;

const tokens = z.int().min(0);

const usageSchema = z.looseObject({
  inputTokens: tokens,
  outputTokens: tokens,
  cachedInputTokens: tokens,
  reasoningTokens: tokens,
});

/** Local files are put in where the run is prepared: on the queue there is none. */
const mediaUrl = z.string().regex(/^(https?|data|oss):/i);

const contentPartSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("image"), url: mediaUrl }),
  z.object({ type: z.literal("video"), url: mediaUrl }),
]);

const messageSchema = z.object({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(contentPartSchema)]),
  partial: z.boolean().optional(),
  toolCallId: z.string().optional(),
  toolCalls: z.array(z.unknown()).optional(),
});

/**
 * One row's request on the queue, and what its earlier attempts left behind. It names no host, no key and
 * no file: whoever can write to the queue can make a worker call the models it is configured for, and
 * nothing else.
 */
export const queuePayloadSchema = z.object({
  v: z.literal(PAYLOAD_VERSION),
  rowIndex: z.int().min(0),
  customId: z.string(),
  preset: z.string().nullable(),
  requestDigest: z.string().optional(),
  request: z.object({
    model: z.string().min(1),
    messages: z.array(messageSchema).min(1),
    parameters: z.record(z.string(), z.unknown()),
  }),
  /** Starts whose end is known, and what it cost: failed, throttled or handed back before the call. */
  ended: z.int().min(0).optional(),
  /** Starts that money is reserved for; absent: there is no budget. */
  paidStarts: z.int().min(0).optional(),
  /** Tokens of billed attempts whose answers were not used. */
  priorUsages: z.array(usageSchema).optional(),
  /** A row whose text is called part by part. */
  translated: z
    .object({
      text: z.string(),
      upTo: z.int().min(0),
      parts: z.int().min(1),
      finishReason: z.string(),
    })
    .optional(),
});

/** How far a row that is too long for its translation model has come. */
export interface TranslatedSoFar {
  readonly text: string;
  /** UTF-16 units of the source that are done. */
  readonly upTo: number;
  /** Calls answered; their tokens are among `priorUsages`. */
  readonly parts: number;
  /** `length` once one part was cut. */
  readonly finishReason: string;
}

export interface QueuePayload {
  readonly v: typeof PAYLOAD_VERSION;
  readonly rowIndex: number;
  readonly customId: string;
  readonly preset: string | null;
  /** Goes into the result as it is. */
  readonly requestDigest?: string;
  readonly request: ModelRequest;
  readonly ended?: number;
  readonly paidStarts?: number;
  readonly priorUsages?: readonly Usage[];
  readonly translated?: TranslatedSoFar;
}

/** Checks what came out of the queue before any use of it; null when it is not a payload of ours. */
export function parsePayload(data: unknown): QueuePayload | null {
  if (isPlainPayload(data)) return data;
  const parsed = queuePayloadSchema.safeParse(data);
  return parsed.success ? (data as QueuePayload) : null;
}

const ROLES: ReadonlySet<unknown> = new Set(messageSchema.shape.role.options);
const PLAIN_KEYS: ReadonlySet<string> = new Set([
  ...["v", "rowIndex", "customId", "preset", "requestDigest", "request", "ended", "paidStarts"],
]);

/**
 * What the schema accepts, for the usual row at its usual start: messages of plain text, nothing left behind by
 * other kinds of attempts. The schema itself takes ten times as long, on every start.
 */
function isPlainPayload(data: unknown): data is QueuePayload {
  if (!isMapping(data) || !isMapping(data["request"])) return false;
  const { v, rowIndex, customId, preset, requestDigest, ended, paidStarts, request } = data;
  const { model, messages, parameters } = request;
  for (const key in data) if (!PLAIN_KEYS.has(key)) return false;
  return (
    v === PAYLOAD_VERSION &&
    isCount(rowIndex) &&
    typeof customId === "string" &&
    (preset === null || typeof preset === "string") &&
    (requestDigest === undefined || typeof requestDigest === "string") &&
    (ended === undefined || isCount(ended)) &&
    (paidStarts === undefined || isCount(paidStarts)) &&
    typeof model === "string" &&
    model !== "" &&
    Array.isArray(messages) &&
    messages.length > 0 &&
    messages.every(isPlainMessage) &&
    isMapping(parameters)
  );
}

function isPlainMessage(message: unknown): boolean {
  if (!isMapping(message) || !ROLES.has(message["role"]) || typeof message["content"] !== "string")
    return false;
  for (const key in message) if (key !== "role" && key !== "content") return false;
  return true;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * PostgreSQL's jsonb takes neither U+0000 nor a lone surrogate, not even as JSON's own escapes, with which
 * Redis has no difficulty. Both are escaped on the way in and restored on the way out, by a marker that
 * escapes itself, so that any text arrives as it was sent.
 */
export function packText(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escapeUnit) : text;
}

export function unpackText(text: string): string {
  return text.includes(MARKER) ? text.replace(PACKED_ALL, unescapeUnit) : text;
}

const MARKER = "\u{FDD0}"; // a Unicode noncharacter: free for internal use
const LONE_SURROGATE = "[\\uD800-\\uDBFF](?![\\uDC00-\\uDFFF])|(?<![\\uD800-\\uDBFF])[\\uDC00-\\uDFFF]";
const UNSAFE_PATTERN = `\\u0000|${MARKER}|${LONE_SURROGATE}`;
const UNSAFE = new RegExp(UNSAFE_PATTERN);
const UNSAFE_ALL = new RegExp(UNSAFE_PATTERN, "g");
const PACKED_ALL = new RegExp(`${MARKER}([0-9a-f]{4})`, "g");

function escapeUnit(unit: string): string {
  return MARKER + unit.charCodeAt(0).toString(16).padStart(4, "0");
}

function unescapeUnit(_match: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}

/** Applies a text mapping to every string of a JSON value; returns the same object when nothing changes. */
export function mapStrings<T>(value: T, map: (text: string) => string): T {
  if (typeof value === "string") return map(value) as T;
  if (Array.isArray(value)) {
    let changed = false;
    const mapped = value.map((item: unknown) => {
      const next = mapStrings(item, map);
      if (next !== item) changed = true;
      return next;
    });
    return changed ? (mapped as T) : value;
  }
  if (value !== null && typeof value === "object") {
    let copy: Record<string, unknown> | null = null;
    for (const [key, item] of Object.entries(value)) {
      const nextKey = map(key);
      const next = mapStrings(item as unknown, map);
      if (next === item && nextKey === key) continue;
      copy ??= { ...value } as Record<string, unknown>;
      if (nextKey !== key) delete copy[key];
      copy[nextKey] = next;
    }
    return (copy as T | null) ?? value;
  }
  return value;
}
