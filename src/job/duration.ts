import { z } from "zod";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/;

/**
 * A length of time as a job file writes it: "5m", "90s", "1.5h", "500ms", or a number of seconds.
 *
 * Parses to milliseconds, rounded; the bounds are in milliseconds and included.
 */
export function durationSchema(minimumMs: number, maximumMs: number, about: string) {
  const error = `a duration such as "5m", "90s" or a number of seconds, from ${inWords(minimumMs)} to ${inWords(maximumMs)}`;
  const within = (value: string | number): boolean => {
    const ms = durationMs(value);
    return ms !== null && ms >= minimumMs && ms <= maximumMs;
  };
  return z
    .union([z.string().meta({ pattern: DURATION.source }), z.number()], { error })
    .refine(within, { error })
    .transform((value) => durationMs(value) ?? minimumMs)
    .describe(about);
}

function durationMs(value: string | number): number | null {
  if (typeof value === "number") return Math.round(value * 1_000);
  const [, amount, unit] = DURATION.exec(value) ?? [];
  const factor = UNIT_MS[unit ?? ""];
  return amount === undefined || factor === undefined ? null : Math.round(Number(amount) * factor);
}

function inWords(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
