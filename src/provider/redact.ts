import { printable } from "../safe-text.js";

/** Longest vendor text that goes into a message, a journal line or a log. */
const MESSAGE_CHARACTERS = 500;
/** Shorter keys are shown as stars only: their ends would give away too much. */
const MASKABLE_CHARACTERS = 16;
/** Below this a "key" is a placeholder such as `x`, and removing it would only garble messages. */
const SECRET_CHARACTERS = 4;

const ID_CHARACTERS = 200;
const PLAIN_ID = /^[\w.:-]{1,200}$/;

/** A key as it may be shown: its first 3 and last 4 characters at most, short ones not at all. */
export function maskKey(key: string): string {
  return key.length < MASKABLE_CHARACTERS ? "***" : `${key.slice(0, 3)}…${key.slice(-4)}`;
}

/**
 * Makes text from a server or the network fit to be kept and printed: the key and any bearer token masked, no
 * control characters, on one line of at most `limit` characters. Every message and every logged body goes through here.
 */
export function safeText(text: string, apiKey: string | null, limit: number = MESSAGE_CHARACTERS): string {
  let safe = text;
  if (apiKey !== null && apiKey.length >= SECRET_CHARACTERS) safe = safe.replaceAll(apiKey, maskKey(apiKey));
  safe = safe
    .replaceAll(/\b(Bearer\s+)[\w.~+/=-]+/gi, "$1***")
    .replaceAll(/\s+/g, " ")
    .trim();
  return printable(safe.length <= limit ? safe : `${safe.slice(0, limit - 1)}…`);
}

/** A request's id, as `safeText`. */
export function safeId(id: string | null, apiKey: string | null): string | null {
  if (id === null || (PLAIN_ID.test(id) && (apiKey === null || !id.includes(apiKey)))) return id;
  return safeText(id, apiKey, ID_CHARACTERS);
}
