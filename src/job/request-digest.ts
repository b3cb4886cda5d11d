import { hash } from "node:crypto";
import type { Message, ModelRequest, Protocol } from "../types.js";

/** Of 16 bytes in base64url. */
const SHORT_CHARACTERS = 22;
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

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
  return hash("sha256", digested(request, answeredBy), "hex");
}

/** The first 16 bytes of `requestDigest` in base64url, 22 characters: what payloads and journal lines carry. */
export function shortRequestDigest(request: ModelRequest, answeredBy: AnsweredBy): string {
  // As text at once: a Buffer for each row is dearer than the hash. Of the last character two bits are ours.
  const digest = hash("sha256", digested(request, answeredBy), "base64url");
  const last = BASE64URL.indexOf(digest.charAt(SHORT_CHARACTERS - 1)) & 0b11_0000;
  return digest.slice(0, SHORT_CHARACTERS - 1) + BASE64URL.charAt(last);
}

function digested(request: ModelRequest, answeredBy: AnsweredBy): string {
  const { model, messages, parameters } = request;
  const { provider, region, protocol } = answeredBy;
  // As `canonicalJson` of all of it: its keys are in order here. Rows share parameters, mostly.
  let sampling = ofParameters.get(parameters);
  if (sampling === undefined) ofParameters.set(parameters, (sampling = canonicalJson(parameters)));
  const asked = `"messages":[${messages.map(canonicalMessage).join()}],"model":${JSON.stringify(model)}`;
  const by = `"protocol":${canonicalJson(protocol)},"provider":${canonicalJson(provider)},"region":${canonicalJson(region)}`;
  return `{${asked},"parameters":${sampling},${by}}`;
}

const ofParameters = new WeakMap<object, string>();

function canonicalMessage(message: Message): string {
  const { role, content } = message;
  if (typeof content !== "string" || !isPlain(message)) return canonicalJson(message);
  return `{"content":${JSON.stringify(content)},"role":"${role}"}`;
}

function isPlain(message: Message): boolean {
  for (const key in message) if (key !== "role" && key !== "content") return false;
  return true;
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
  for (const key of sortedKeys(mapping)) {
    const each = mapping[key];
    if (each === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(each)}`;
  }
  return `{${text}}`;
}

/** Most mappings of a request have a few keys, in order or nearly so: sorting costs more than looking. */
function sortedKeys(mapping: object): string[] {
  const keys = Object.keys(mapping);
  for (let at = 1; at < keys.length; at++) {
    if ((keys[at - 1] as string) > (keys[at] as string)) return keys.sort();
  }
  return keys;
}
