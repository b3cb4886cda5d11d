import { isListPosition, setKeyOrder, SourceNumber } from "./source-number.js";

/** Where a text stops being JSON: `offset` in UTF-16 units, and what could have stood there. */
export class JsonFault extends Error {
  constructor(
    readonly offset: number,
    readonly expected: string,
    /** The key that stands twice in one mapping, when that is the fault. */
    readonly duplicate: string | null = null,
  ) {
    super(`expected ${expected} at ${String(offset)}`);
  }
}

/** Levels of lists and mappings in each other; more are beyond the stack of whoever writes them. */
const MOST_LEVELS = 1_000;

/** Begins a number that `JSON.parse` may not keep: of many digits, with an exponent or a last zero, minus zero. */
const MAY_BE_LOST = /-?(?:[\d.]{16}|[\d.]+[eE]|\d+\.\d*0(?!\d)|0\.0{6})|-0(?![.\d])/y;
/** A key that `countKeyMarks` would miss. */
const SPACED_COLON = /"\s+:/;
const ONE_SPACE = 0x20;
const FIRST_AFTER_SPACES = 0x21;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\p{Cc}]*/uy;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const WORD = /true|false|null/y;
const WORDS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

/**
 * Parses JSON as `JSON.parse` does, but keeps numbers that do not survive it as {@link SourceNumber}, and the
 * order of keys (`keysOf`). A key that stands twice is refused, or with `takeLast` its last value counts.
 *
 * Throws JsonFault. Where `JSON.parse` keeps all, as most rows let it, that is what parses.
 */
export function parseJson(text: string, takeLast = false): unknown {
  const value = parsed(text);
  if (value !== undefined && isKept(text, value, takeLast)) return value;
  return new JsonReader(text, takeLast).read();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether it is certain that nothing of the text was lost; quick, and on the side of caution. */
function isKept(text: string, value: unknown, takeLast: boolean): boolean {
  if (typeof value === "number") return String(value) === text.trim();
  const marks = countKeyMarks(text);
  const keys = countKeys(value, 0);
  return (takeLast ? marks >= keys : marks === keys) && !SPACED_COLON.test(text);
}

/** Keys of all mappings in a value. NaN where order, numbers in lists or the depth have to be looked at. */
function countKeys(value: unknown, level: number): number {
  if (typeof value === "number") return NaN;
  if (typeof value !== "object" || value === null) return 0;
  if (level > MOST_LEVELS) return NaN;
  let count = 0;
  if (Array.isArray(value)) {
    for (const each of value) count += countKeys(each, level + 1);
    return count;
  }
  for (const key in value) {
    // Keys that are ordered as list positions come first.
    if (count === 0 && key.charCodeAt(0) <= NINE && isListPosition(key)) return NaN;
    const each = (value as Readonly<Record<string, unknown>>)[key];
    count += typeof each === "number" ? 1 : 1 + countKeys(each, level + 1);
  }
  return count;
}

/**
 * At least as many as there are keys in the text, those that stand twice included; also counts what looks like
 * one within a text. NaN where a key's number may be lost.
 */
function countKeyMarks(text: string): number {
  let count = 0;
  for (let at = text.indexOf('":'); at !== -1; at = text.indexOf('":', at + 2)) {
    count++;
    let start = at + 2;
    if (text.charCodeAt(start) === ONE_SPACE) start++;
    const first = text.charCodeAt(start);
    if (first < FIRST_AFTER_SPACES) return NaN;
    if (first > NINE || (first < ZERO && first !== MINUS)) continue;
    MAY_BE_LOST.lastIndex = start;
    if (MAY_BE_LOST.test(text)) return NaN;
  }
  return count;
}

/** Reads a text piece by piece: for what `JSON.parse` would lose, and to say where a text is no JSON. */
class JsonReader {
  #at = 0;

  constructor(
    private readonly text: string,
    private readonly takeLast: boolean,
  ) {}

  read(): unknown {
    const value = this.#value("a value", 0);
    this.#space();
    if (this.#at < this.text.length) throw this.#fault("the end of the line");
    return value;
  }

  #value(expected: string, level: number): unknown {
    this.#space();
    const character = this.text[this.#at];
    if (character === "{" || character === "[") {
      if (level > MOST_LEVELS) throw this.#fault(`no more than ${MOST_LEVELS} levels of brackets`);
      this.#at++;
      return character === "{" ? this.#mapping(level) : this.#list(level);
    }
    if (character === '"') return this.#string();
    const word = this.#match(WORD);
    if (word !== "") return WORDS[word];
    const number = this.#match(NUMBER);
    if (number === "") throw this.#fault(expected);
    return String(Number(number)) === number ? Number(number) : new SourceNumber(number);
  }

  #list(level: number): unknown[] {
    const list: unknown[] = [];
    if (this.#takes("]")) return list;
    do list.push(this.#value(list.length === 0 ? "a value or `]`" : "a value", level + 1));
    while (this.#goesOn("]"));
    return list;
  }

  #mapping(level: number): object {
    const mapping: Record<string, unknown> = {};
    const keys = new Set<string>();
    let isReordered = false;
    if (this.#takes("}")) return mapping;
    do {
      this.#space();
      const at = this.#at;
      if (this.text[at] !== '"')
        throw this.#fault(keys.size === 0 ? "a key in double quotes or `}`" : "a key in double quotes");
      const key = this.#string();
      if (keys.has(key) && !this.takeLast) throw new JsonFault(at, "another key", key);
      keys.add(key);
      isReordered ||= isListPosition(key);
      if (!this.#takes(":")) throw this.#fault("`:` after the key");
      const value = this.#value("a value", level + 1);
      if (key === "__proto__") {
        Object.defineProperty(mapping, key, { value, enumerable: true, configurable: true, writable: true });
      } else mapping[key] = value;
    } while (this.#goesOn("}"));
    if (isReordered) setKeyOrder(mapping, [...keys]);
    return mapping;
  }

  /** Past a comma; false past the closing bracket. */
  #goesOn(closing: string): boolean {
    if (this.#takes(",")) return true;
    if (this.#takes(closing)) return false;
    throw this.#fault("`,` or the closing bracket");
  }

  #string(): string {
    const start = this.#at;
    this.#at = stringEnd(this.text, start);
    const body = this.text.slice(start + 1, this.#at - 1);
    return body.includes("\\") ? (JSON.parse(`"${body}"`) as string) : body;
  }

  #takes(character: string): boolean {
    this.#space();
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #fault(expected: string): JsonFault {
    return new JsonFault(this.#at, expected);
  }
}

/** The offset after the string's closing quote; throws its fault. `offset` is at the opening quote. */
function stringEnd(text: string, offset: number): number {
  for (let at = offset + 1; ;) {
    PLAIN.lastIndex = at;
    at += PLAIN.exec(text)?.[0].length ?? 0;
    const character = text[at];
    if (character === '"') return at + 1;
    if (character === undefined) throw new JsonFault(at, "the closing quote of a string");
    if (character < " ")
      throw new JsonFault(at, "no raw control character in a string (write \\n, \\t or \\u00..)");
    at += character === "\\" ? escapeLength(text, at) : 1;
  }
}

function escapeLength(text: string, at: number): number {
  ESCAPE.lastIndex = at;
  const escape = ESCAPE.exec(text)?.[0];
  if (escape === undefined) throw new JsonFault(at, 'an escape such as \\n, \\" or \\u00e9');
  return escape.length;
}
