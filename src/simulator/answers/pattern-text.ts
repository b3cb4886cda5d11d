/**
 * A text that a regular expression matches, for the patterns that schemas usually hold: literals,
 * classes, groups, alternatives and quantifiers. Null when the pattern needs more than that (or is not
 * one), checked by matching.
 */
export function matchPattern(pattern: string): string | null {
  try {
    const text = new PatternReader(pattern).alternatives();
    return new RegExp(pattern, "u").test(text) ? text : null;
  } catch {
    return null;
  }
}

const candidates = "aA0 -_.@/:+,!#x9Z\u00e9中";

class PatternReader {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /** Takes the first alternative; the others are read past. */
  alternatives(): string {
    const first = this.#sequence();
    while (this.#peek() === "|") {
      this.#at++;
      this.#sequence();
    }
    return first;
  }

  #sequence(): string {
    let text = "";
    while (this.#at < this.#pattern.length && this.#peek() !== "|" && this.#peek() !== ")") {
      const piece = this.#atom();
      text += piece.repeat(this.#repetitions());
    }
    return text;
  }

  #atom(): string {
    const character = this.#take();
    if (character === "^" || character === "$") return "";
    if (character === ".") return "x";
    if (character === "(") return this.#group();
    if (character === "[") return this.#characterClass();
    if (character === "\\") return this.#escape();
    return character;
  }

  #group(): string {
    const modifier = /^\?(?::|<[A-Za-z]\w*>)/.exec(this.#pattern.slice(this.#at));
    if (this.#peek() === "?" && modifier === null) throw new Error("look-around");
    this.#at += modifier?.[0].length ?? 0;
    const text = this.alternatives();
    this.#at++;
    return text;
  }

  #characterClass(): string {
    const start = this.#at - 1;
    if (this.#peek() === "^") this.#at++;
    if (this.#peek() === "]") this.#at++;
    while (this.#peek() !== "]") {
      if (this.#at >= this.#pattern.length) throw new Error("end");
      this.#at += this.#peek() === "\\" ? 2 : 1;
    }
    this.#at++;
    return this.#oneOf(this.#pattern.slice(start, this.#at));
  }

  #escape(): string {
    const character = this.#take();
    if (character === "b" || character === "B") return "";
    if (/[dDwWsS]/.test(character)) return this.#oneOf(`\\${character}`);
    if (character === "p" || character === "P") {
      const end = this.#pattern.indexOf("}", this.#at) + 1;
      const property = this.#pattern.slice(this.#at, end);
      this.#at = end;
      return this.#oneOf(`\\${character}${property}`);
    }
    if (/[1-9kcux]/.test(character)) throw new Error("escape");
    return { n: "\n", t: "\t", r: "\r" }[character] ?? character;
  }

  #oneOf(expression: string): string {
    const single = new RegExp(`^${expression}$`, "u");
    for (const candidate of candidates) if (single.test(candidate)) return candidate;
    for (let code = 33; code < 0x3000; code++) {
      const candidate = String.fromCodePoint(code);
      if (single.test(candidate)) return candidate;
    }
    throw new Error("class");
  }

  #repetitions(): number {
    const found = /^(?:([*+?])|\{(\d+)(,(\d*))?\})\??/.exec(this.#pattern.slice(this.#at));
    if (found === null) return 1;
    this.#at += found[0].length;
    if (found[1] !== undefined) return found[1] === "?" ? 0 : 1;
    const minimum = Number(found[2]);
    // An optional piece is worth showing once where it may stand.
    return minimum === 0 && found[4] !== "0" ? 1 : Math.min(minimum, 1_000);
  }

  #peek(): string {
    if (this.#at >= this.#pattern.length) return "";
    return this.#pattern[this.#at] ?? "";
  }

  #take(): string {
    const character = this.#pattern[this.#at];
    if (character === undefined) throw new Error("end");
    this.#at++;
    return character;
  }
}
