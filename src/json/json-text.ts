import { keysOf, SourceNumber } from "./source-number.js";

/**
 * JSON as `JSON.stringify` makes it, but with the numbers and the order of keys that were read. With `indent`
 * over several lines; `outer` is the line break before the closing bracket.
 */
export function jsonText(value: unknown, indent = "", outer = "\n"): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (value instanceof SourceNumber) return value.toString();
  const inner = indent === "" ? "" : outer + indent;
  const bracketed = (items: readonly string[], open: string, close: string): string =>
    items.length === 0 || indent === ""
      ? open + items.join() + close
      : open + inner + items.join(`,${inner}`) + outer + close;
  if (Array.isArray(value))
    return bracketed(
      value.map((each) => jsonText(each, indent, inner)),
      "[",
      "]",
    );
  const colon = indent === "" ? ":" : ": ";
  const mapping = value as Readonly<Record<string, unknown>>;
  const items = keysOf(value)
    .filter((key) => mapping[key] !== undefined)
    .map((key) => JSON.stringify(key) + colon + jsonText(mapping[key], indent, inner));
  return bracketed(items, "{", "}");
}
