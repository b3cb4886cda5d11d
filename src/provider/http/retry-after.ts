/**
 * Reads how long the server asks us to wait: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP
 * date. Milliseconds, not bounded; null when absent or unreadable. Model Studio documents neither header.
 */
export function readRetryAfterMs(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  nowMs: number,
): number | null {
  const milliseconds = decimal(first(headers["retry-after-ms"]));
  if (milliseconds !== null) return Math.round(milliseconds);
  const text = first(headers["retry-after"]);
  const seconds = decimal(text);
  if (seconds !== null) return Math.round(seconds * 1000);
  // Date.parse takes almost anything ("-5" is a year): an HTTP date names its month.
  if (text === null || !/[a-z]{3}/i.test(text)) return null;
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
