import { printable } from "../safe-text.js";

/** 1234 → "1,234": the same on every machine, whatever its locale. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** 12345 → "12.3k", 12345678 → "12.3M". */
export function compactNumber(value: number): string {
  if (value < 1_000) return String(Math.round(value));
  if (value < 999_950) return `${(value / 1_000).toFixed(1)}k`;
  if (value < 999_950_000) return `${(value / 1_000_000).toFixed(1)}M`;
  return `${(value / 1_000_000_000).toFixed(1)}G`;
}

/** Seconds as "45 s", "12 min 5 s", "3 h 20 min", "2 d 4 h". */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1).replace(/\.0$/, "")} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`;
}

/** Width on a terminal: East Asian wide and fullwidth characters, and emoji, take two columns. */
const WIDE =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

/** Puts text on one line of at most `width` terminal columns. */
export function oneLine(text: string, width: number): string {
  const flat = printable(text.replace(/[\s\p{Cc}]+/gu, " ").trim());
  let used = 0;
  let line = "";
  for (const character of flat) {
    const columns = WIDE.test(character) ? 2 : 1;
    if (used + columns > width - 1) return `${line}…`;
    line += character;
    used += columns;
  }
  return line;
}
