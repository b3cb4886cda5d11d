import { createHash } from "node:crypto";
import type { ModelRequest, Protocol } from "../types.js";

const SHORT_BYTES = 16;

/** Who answers a request: the same model name elsewhere is another model. `simulator` answers for itself only. */
export interface AnsweredBy {
  readonly provider: string;
  readonly region: string | null;
  readonly protocol: Protocol;
}

/**
 * Identifies a request for reuse: two with the same digest may share an answer.
 *
 * SHA-256 in hex of canonical JSON (sorted keys) of model, messages, parameters and who answers. Local
 * images must have been put in before, so that a changed picture is a changed request.
 */
export function requestDigest(request: ModelRequest, answeredBy: AnsweredBy): string {
  return digestOf(request, answeredBy).toString("hex");
}

/** The first 16 bytes of `requestDigest` in base64url, 22 characters: what payloads and journal lines carry. */
export function shortRequestDigest(request: ModelRequest, answeredBy: AnsweredBy): string {
  return digestOf(request, answeredBy).subarray(0, SHORT_BYTES).toString("base64url");
}

function digestOf(request: ModelRequest, answeredBy: AnsweredBy): Buffer {
  const { model, messages, parameters } = request;
  const { provider, region, protocol } = answeredBy;
  const text = canonicalJson({ model, messages, parameters, provider, region, protocol });
  return createHash("sha256").update(text).digest();
}

/** JSON with the keys of every mapping sorted and keys without a value left out. Made for each row: no closures. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  let text = "";
  if (Array.isArray(value)) {
    for (const each of value) text += text === "" ? canonicalJson(each) : `,${canonicalJson(each)}`;
    return `[${text}]`;
  }
  const mapping = value as Record<string, unknown>;
  for (const key of Object.keys(mapping).sort()) {
    const each = mapping[key];
    if (each === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(each)}`;
  }
  return `{${text}}`;
}
