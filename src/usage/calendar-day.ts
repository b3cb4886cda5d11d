import { UsageError } from "../errors.js";

/**
 * Says on which day of a time zone a UTC hour began, as yyyy-mm-dd.
 *
 * Usage is kept by UTC hour. In zones that are off by a half or three quarters of an hour (India, Nepal),
 * the one UTC hour that midnight falls into counts to the day in which it began; other zones are exact.
 */
export class CalendarDays {
  readonly #format: Intl.DateTimeFormat;
  readonly #known = new Map<string, string>();

  /** Throws UsageError for a zone that is not known. */
  constructor(readonly timeZone: string) {
    try {
      const options = { timeZone, year: "numeric", month: "2-digit", day: "2-digit" } as const;
      this.#format = new Intl.DateTimeFormat("en-CA", options);
    } catch (cause) {
      throw new UsageError(`The time zone ${JSON.stringify(timeZone)} is not known.`, {
        code: "unknown_time_zone",
        hint: "Give a name such as UTC, Asia/Shanghai or Europe/Berlin.",
        cause,
      });
    }
  }

  /** `hour` as in `2026-11-22T05Z`. */
  dayOf(hour: string): string {
    let day = this.#known.get(hour);
    if (day === undefined) this.#known.set(hour, (day = this.#format.format(hourStart(hour))));
    return day;
  }

  /** Whether some hour of the zone's year does not begin with a UTC hour. */
  splitsHours(hour: string): boolean {
    const start = hourStart(hour);
    return this.#format.format(start) !== this.#format.format(new Date(start.getTime() + 3_599_999));
  }
}

/** The instant at which a UTC hour (`2026-11-22T05Z`) begins. */
export function hourStart(hour: string): Date {
  return new Date(`${hour.slice(0, 13)}:00:00.000Z`);
}

/** One end of a period: a whole day of the report's zone, or an instant. */
export type PeriodEnd = { readonly day: string } | { readonly at: Date };

/**
 * Reads `--since` and `--until`: a day (yyyy-mm-dd) or an ISO 8601 time with zone. Throws UsageError.
 */
export function parsePeriodEnd(text: string, option: string): PeriodEnd {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const at = new Date(isDay ? `${text}T00:00:00.000Z` : text);
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}.*(Z|[+-]\d{2}:?\d{2})$/.test(text);
  if ((isDay || isTime) && !Number.isNaN(at.getTime())) {
    // new Date rolls February 30th over into March.
    if (!isDay) return { at };
    if (at.toISOString().startsWith(text)) return { day: text };
  }
  throw new UsageError(`${option}: expected a day or a time with zone, received ${JSON.stringify(text)}.`, {
    code: "invalid_period",
    hint: `Write ${option} 2026-11-22 or ${option} 2026-11-22T08:00:00Z.`,
  });
}

/** The days from first to last, both included. Not more than `limit`. */
export function daysBetween(first: string, last: string, limit: number): string[] {
  const days: string[] = [];
  for (let at = Date.parse(`${first}T00:00:00Z`); days.length < limit; at += 86_400_000) {
    const day = new Date(at).toISOString().slice(0, 10);
    if (day > last) break;
    days.push(day);
  }
  return days;
}
