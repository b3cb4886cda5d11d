type Headers = Readonly<Record<string, string | string[] | undefined>>;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PART =
  /(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)(?![a-z])/gi;
const STATED =
  /\b(?:try|retry)(?: again)? (?:in|after)\s*((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)(?![a-z])[\s,]*)+)/i;
const STATED_IN_CHINESE = /(\d+(?:\.\d+)?)\s*秒(?:钟)?后/;
/** Numbers from here on are moments, not durations: seconds, then milliseconds since 1970. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

/**
 * Reads how long the server asks us to wait: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date.
 * Milliseconds, not bounded; null when absent or unreadable. Model Studio documents neither header.
 */
export function readRetryAfterMs(headers: Headers, nowMs: number): number | null {
  const milliseconds = decimal(first(headers["retry-after-ms"]));
  if (milliseconds !== null) return Math.round(milliseconds);
  const text = first(headers["retry-after"]);
  const seconds = decimal(text);
  if (seconds !== null) return Math.round(seconds * 1000);
  return text === null ? null : untilDate(text, nowMs);
}

/** "Please try again in 4s", "retry after 1 minute", "in 6m0s": the wait that a message names. */
export function statedWaitMs(message: string): number | null {
  const chinese = STATED_IN_CHINESE.exec(message)?.[1];
  if (chinese !== undefined) return Math.round(Number(chinese) * 1000);
  const stated = STATED.exec(message)?.[1];
  return stated === undefined ? null : durationMs(stated);
}

/**
 * When the limits that are used up begin anew, by `x-ratelimit-reset-requests` and its like (OpenAI, Groq, OpenRouter,
 * Anthropic, the IETF draft): a duration, seconds, or a moment. Only of use where the call was refused for a limit.
 */
export function limitsResetMs(headers: Headers, nowMs: number): number | null {
  let longest: number | null = null;
  for (const [name, value] of Object.entries(headers)) {
    if (!/^((x|anthropic)-)?ratelimit-(reset\b|\w+-reset$)/.test(name)) continue;
    const remaining = decimal(first(headers[name.replace("reset", "remaining")]));
    const waitMs = remaining !== null && remaining > 0 ? null : resetMs(first(value), nowMs);
    if (waitMs !== null) longest = Math.max(longest ?? 0, waitMs);
  }
  return longest;
}

function resetMs(text: string | null, nowMs: number): number | null {
  const number = decimal(text);
  if (number !== null) {
    if (number >= EPOCH_MS) return Math.max(0, Math.round(number - nowMs));
    return Math.round(number >= EPOCH_SECONDS ? Math.max(0, number * 1000 - nowMs) : number * 1000);
  }
  return text === null ? null : (durationMs(text) ?? untilDate(text, nowMs));
}

/** `1h2m3.5s`, `250ms`, `4 seconds`; null for anything else. */
function durationMs(text: string): number | null {
  if (text.replaceAll(PART, "").replaceAll(/[\s,]/g, "") !== "") return null;
  let total: number | null = null;
  for (const [, number, unit = ""] of text.matchAll(PART)) {
    const short = /^m(s|illi)/i.test(unit) ? "ms" : unit.charAt(0).toLowerCase();
    total = (total ?? 0) + Number(number) * (UNIT_MS[short] ?? 0);
  }
  return total === null ? null : Math.round(total);
}

/** Date.parse takes almost anything ("-5" is a year): a date names its month, or is written as 2026-11-25T…. */
function untilDate(text: string, nowMs: number): number | null {
  if (!/[a-z]{3}|\d{4}-\d\d-\d\dT/i.test(text)) return null;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}

function first(value: string | string[] | undefined): string | null {
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined || text.trim() === "" ? null : text.trim();
}

function decimal(text: string | null): number | null {
  return text !== null && /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : null;
}
