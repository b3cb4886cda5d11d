import { keysOf } from "../json/source-number.js";

const MOST_KNOWN = 10_000;
const plainNames = new Map<string, string>();

/** A name as it is read: composed, without what cannot be seen, spaces of any kind as one common space. */
function plainName(name: string): string {
  let plain = plainNames.get(name);
  if (plain !== undefined) return plain;
  if (plainNames.size >= MOST_KNOWN) plainNames.clear();
  plain = name
    .normalize("NFC")
    .replaceAll(/\p{Cf}/gu, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  plainNames.set(name, plain);
  return plain;
}

/** Columns that look like a name but differ in composition, spaces or what cannot be seen. */
export function lookAlikes(columns: readonly string[], name: string): readonly string[] {
  const plain = plainName(name);
  return columns.filter((column) => column !== name && plainName(column) === plain);
}

/** The column that a name means: itself, or else the only one that looks like it. */
export function columnNamed(columns: readonly string[], name: string): string | null {
  if (columns.includes(name)) return name;
  const [only, ...others] = lookAlikes(columns, name);
  return others.length === 0 ? (only ?? null) : null;
}

/** The row's value of the column that a name means; undefined when there is none. */
export function cellNamed(values: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(values, name)) return values[name];
  const column = columnNamed(keysOf(values), name);
  return column === null ? undefined : values[column];
}

/** Says which character tells two names apart that look the same. */
export function nameDifference(name: string, column: string): string {
  const wanted = characters(name);
  const found = characters(column);
  const at = wanted.findIndex((character, index) => character !== found[index]);
  const index = at === -1 ? wanted.length : at;
  return `character ${index + 1} is ${codePoints(found[index])} in the input, ${codePoints(wanted[index])} in the job`;
}

function characters(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}

const NAMES: Readonly<Record<string, string>> = {
  "0009": "a tab",
  "0020": "a space",
  "00A0": "a no-break space",
  "00AD": "a soft hyphen",
  "200B": "a zero-width space",
  "202F": "a narrow no-break space",
  "3000": "an ideographic space",
  FEFF: "a byte order mark",
};

function codePoints(character: string | undefined): string {
  if (character === undefined) return "none";
  const codes = Array.from(character, (each) =>
    (each.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0"),
  );
  return [codes.map((code) => `U+${code}`).join(" "), ...codes.flatMap((code) => NAMES[code] ?? [])].join(
    ", ",
  );
}
