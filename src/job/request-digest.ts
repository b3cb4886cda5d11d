import { createHash } from "node:crypto";
import type { ModelRequest, Protocol } from "../types.js";

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
  const { model, messages, parameters } = request;
  const { provider, region, protocol } = answeredBy;
  const text = canonicalJson({ model, messages, parameters, provider, region, protocol });
  return createHash("sha256").update(text).digest("hex");
}

/** The first 16 bytes of `requestDigest` in base64url, 22 characters: what payloads and journal lines carry. */
export function shortRequestDigest(request: ModelRequest, answeredBy: AnsweredBy): string {
  return Buffer.from(requestDigest(request, answeredBy).slice(0, 32), "hex").toString("base64url");
}

/** JSON with the keys of every mapping sorted and keys without a value left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => `${JSON.stringify(key)}:${canonicalJson(each)}`);
  return `{${entries.join(",")}}`;
}
