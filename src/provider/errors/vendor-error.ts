import { arrayOf, nonEmpty, objectOf, requestIdIn, stringOf } from "../json-value.js";
import type { JsonObject } from "../json-value.js";

/** An error as a server words it, whichever shape it came in. */
export interface VendorError {
  /** The HTTP status, or under 200 what the body says its status is. 200 when neither says more. */
  readonly status: number;
  /** As sent; null when there is none. */
  readonly code: string | null;
  readonly message: string;
  readonly requestId: string | null;
}

/** Longer texts are cut: rules search them, and nobody reads more. */
const MESSAGE_CHARACTERS = 4000;

/**
 * Reads an error out of a parsed body, on either protocol; null when the body is no error.
 *
 * `{error: {message, type, code}}`, `{error: "text"}`, `{object: "error", message}`, `{code, message}`, `{detail}`
 * (FastAPI), `{errors: [...]}` (Cloudflare), a list of one (Gemini), `{base_resp}` (MiniMax), `{error_code, error_msg}`.
 */
export function readVendorError(body: unknown, status: number): VendorError | null {
  const outer = objectOf(arrayOf(body)?.[0] ?? body);
  if (outer === null) return null;
  const requestId = requestIdIn(outer);
  for (const inner of [outer["error"], arrayOf(outer["errors"])?.[0], outer["base_resp"]]) {
    const error = errorOf(arrayOf(inner)?.[0] ?? inner, status, outer);
    if (error !== null) return { ...error, requestId: error.requestId ?? requestId };
  }
  const error = errorOf(outer, status, outer);
  return error === null ? null : { ...error, requestId };
}

/** The error inside a choice, of an answer that had begun; null when there is none. */
export function readChoiceError(value: unknown): VendorError | null {
  return value === undefined || value === null ? null : errorOf(value, 200, {});
}

function errorOf(value: unknown, status: number, outer: JsonObject): VendorError | null {
  const text = nonEmpty(value);
  const error = text === null ? objectOf(value) : {};
  if (error === null || isFine(error)) return null;
  const message = text ?? messageOf(error);
  const code = codeOf(error) ?? codeOf(outer);
  // A body without either has a `type` of its own for other reasons.
  if (message === null && (code === null || (error === outer && error["code"] === undefined))) return null;
  return {
    status: status === 200 ? (statusIn(error) ?? statusIn(outer) ?? 200) : status,
    code,
    message: (message ?? "").slice(0, MESSAGE_CHARACTERS),
    requestId: error["request_id"] === undefined ? null : requestIdIn(error),
  };
}

/** What the error says, and what the server behind a gateway said to it (OpenRouter's `metadata.raw`). */
function messageOf(error: JsonObject): string | null {
  const names = ["message", "msg", "error_msg", "status_msg", "error_message", "detail", "error"];
  const said =
    names.map((name) => nonEmpty(error[name])).find((text) => text !== null) ?? detailOf(error["detail"]);
  const raw = nonEmpty(objectOf(error["metadata"])?.["raw"]);
  return raw === null ? said : `${said ?? "error"}: ${raw}`;
}

/** FastAPI: `[{loc: ["body", "messages"], msg: "field required"}]`. */
function detailOf(value: unknown): string | null {
  const first = objectOf(arrayOf(value)?.[0] ?? value);
  const text = nonEmpty(first?.["msg"]) ?? nonEmpty(first?.["message"]);
  const where =
    arrayOf(first?.["loc"])
      ?.filter((name) => name !== "body")
      .join(".") ?? "";
  return text === null || where === "" ? text : `${where}: ${text}`;
}

/** The code in words; `type` says more than a code that repeats the HTTP status, as vLLM's does. */
function codeOf(error: JsonObject): string | null {
  const metadata = objectOf(error["metadata"]);
  if (metadata?.["flagged_input"] !== undefined) return "moderation"; // OpenRouter
  const code = numbered(error["code"] ?? error["error_code"] ?? error["status_code"]);
  const isCode = code !== null && !/^[45]\d\d$/.test(code);
  const type = nonEmpty(error["type"]);
  return (isCode ? code : null) ?? (type === "error" ? null : type) ?? grpcStatus(error["status"]);
}

/** `{code: 0, msg: "success"}`: some servers say with every answer that nothing is wrong. */
function isFine(error: JsonObject): boolean {
  const code = numbered(error["code"] ?? error["error_code"] ?? error["status_code"]);
  return code !== null && /^(0|200|success|ok)$/i.test(code);
}

/** Gemini: `NOT_FOUND` beside the number. */
function grpcStatus(value: unknown): string | null {
  const status = stringOf(value);
  return status !== null && /^[A-Z_]{4,}$/.test(status) ? status : null;
}

function statusIn(error: JsonObject): number | null {
  for (const name of ["code", "status", "status_code", "statusCode"]) {
    const status = Number(numbered(error[name]));
    if (Number.isInteger(status) && status >= 400 && status < 600) return status;
  }
  return null;
}

function numbered(value: unknown): string | null {
  return typeof value === "number" ? String(value) : nonEmpty(value);
}
