import { z } from "zod";
import { PROTOCOL_VERSION, type Lease, type RowTask } from "../protocol/events.js";

const count = z.int().min(0);
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

const taskSchema = z.object({
  rowIndex: count,
  customId: z.string(),
  preset: z.string().nullable(),
  requestDigest: z.string().optional(),
  request: z.object({
    model: z.string().min(1),
    messages: z.array(messageSchema).min(1),
    parameters: z.record(z.string(), z.unknown()),
  }),
  bound: z.looseObject({ inputTokens: z.number().min(0), outputTokens: z.number().min(0) }).nullable(),
  ended: count,
  unusable: count,
  paidCalls: count.nullable(),
  translated: z
    .object({ text: z.string(), upTo: count, parts: z.int().min(1), finishReason: z.string() })
    .optional(),
});

/** Names no host, no key and no file: whoever can write to the queue can make a worker call the models it is configured for. */
const leaseSchema = z.object({
  version: z.literal(PROTOCOL_VERSION),
  identity: z.string(),
  number: z.int().min(1),
  fence: z.int().min(1),
  isAlone: z.boolean(),
  rows: z.array(taskSchema).min(1),
});

/** A lease as it travels: requests byte for byte as they were rendered, in the order of their keys. */
export function leaseText(identity: string, lease: Lease): string {
  return JSON.stringify({ version: PROTOCOL_VERSION, identity, ...lease });
}

/** Checks what came out of a queue before any use of it; null when it is no lease of this run. */
export function parseLease(identity: string, text: string): Lease | null {
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    return null;
  }
  if (!isRecord(value) || value["identity"] !== identity) return null;
  const { rows, ...rest } = value;
  const sample = Array.isArray(rows) ? rows.filter((row) => !isPlainTask(row)) : null;
  // The schema takes ten times as long as a look at a plain row: it sees the lease, and the rows that are not plain.
  const checked = { ...rest, rows: sample?.length === 0 ? (rows as unknown[]).slice(0, 1) : rows };
  return leaseSchema.safeParse(checked).success ? (value as unknown as Lease) : null;
}

const ROLES: ReadonlySet<unknown> = new Set(messageSchema.shape.role.options);

function isPlainTask(task: unknown): task is RowTask {
  if (!isRecord(task) || !isPlainRequest(task["request"])) return false;
  const { rowIndex, customId, preset, ended, unusable, paidCalls, translated, bound } = task;
  return (
    isCount(rowIndex) &&
    isCount(ended) &&
    isCount(unusable) &&
    (paidCalls === null || isCount(paidCalls)) &&
    typeof customId === "string" &&
    (preset === null || typeof preset === "string") &&
    translated === undefined &&
    (bound === null || (isRecord(bound) && isCount(bound["inputTokens"]) && isCount(bound["outputTokens"])))
  );
}

function isPlainRequest(request: unknown): boolean {
  if (!isRecord(request)) return false;
  const { model, messages, parameters } = request;
  return (
    typeof model === "string" &&
    model !== "" &&
    Array.isArray(messages) &&
    messages.length > 0 &&
    messages.every(isPlainMessage) &&
    isRecord(parameters)
  );
}

function isPlainMessage(message: unknown): boolean {
  if (!isRecord(message) || !ROLES.has(message["role"]) || typeof message["content"] !== "string")
    return false;
  for (const key in message) if (key !== "role" && key !== "content") return false;
  return true;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
