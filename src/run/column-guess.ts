import type { InputRow } from "../input/row.js";
import { numberOf } from "../json/source-number.js";

/** Different values of a column that are remembered. */
const REMEMBERED = 100;
const ID_NAME = /^(id|sku|key|uuid|number|no|nr|编号|custom_id)$|[_ -]id$|Id$/i;
const SOURCE_NAME = /^(source|from|src)[ _-]?(lang(uage)?|locale)$|^源语言$/i;
const TARGET_NAME =
  /^((target|to|into|dest(ination)?)[ _-]?)?(lang(uage)?|locale)([ _-]?(code|to|target))?$|^(目标)?(语言|語言)$|^(ziel)?sprache$|^langue( cible)?$|^idioma$/i;
/** A language's name or code: `German`, `pt-BR`, `简体中文`, `Chinese (Simplified)`. */
const LANGUAGE = /^\p{L}[\p{L}\p{M} _()-]{1,39}$/u;

/** What qwen-mt takes: codes, and English names of the same. Source: machine translation page, 2026. */
const MT_CODES =
  "en zh ru ja ko es fr pt de it th vi id ms ar hi he my ta ur bn pl nl ro tr km lo yue cs el sv hu da fi uk bg sr te";
const MT_LANGUAGES: ReadonlySet<string> = new Set(
  MT_CODES.split(" ").flatMap((code) => {
    const name = new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? code;
    return [code, name.toLowerCase()];
  }),
);

/** Columns of languages. */
export interface LanguageColumns {
  readonly source: string | null;
  readonly target: string;
  /** A machine translation model knows all of them by what they are called. */
  readonly areKnown: boolean;
}

interface Seen {
  /** Of all values together. */
  length: number;
  /** Rows with a value that is not blank. */
  filled: number;
  readonly values: Set<string>;
}

/** Gathers what the columns of an input hold, row by row. */
export class ColumnGuess {
  readonly #columns = new Map<string, Seen>();
  #rows = 0;

  add({ values }: InputRow): void {
    this.#rows++;
    for (const name in values) {
      const value = values[name];
      const text = typeof value === "string" ? value : numberOf(value) === null ? "" : String(value);
      let seen = this.#columns.get(name);
      if (seen === undefined) this.#columns.set(name, (seen = { length: 0, filled: 0, values: new Set() }));
      seen.length += text.length;
      if (text.trim() === "") continue;
      seen.filled++;
      if (seen.values.size < REMEMBERED) seen.values.add(text);
    }
  }

  /** The column with the longest texts. */
  longest(columns: readonly string[]): string | null {
    return columns.reduce<string | null>(
      (longest, name) => (this.#length(name) > this.#length(longest) ? name : longest),
      columns[0] ?? null,
    );
  }

  /** Columns that are named like ids. */
  ids(columns: readonly string[]): readonly string[] {
    return columns.filter((name) => ID_NAME.test(name.trim()));
  }

  /** Columns of languages by name and values; null when none names what to translate into. */
  languages(columns: readonly string[]): LanguageColumns | null {
    const found = (pattern: RegExp): string | undefined =>
      columns.find((name) => pattern.test(name.trim()) && this.#holdsLanguages(name));
    const target = found(TARGET_NAME);
    if (target === undefined) return null;
    const source = found(SOURCE_NAME) ?? null;
    const values = [source, target].flatMap((name) => this.#values(name));
    return { source, target, areKnown: values.every((value) => MT_LANGUAGES.has(value.toLowerCase())) };
  }

  /** Whether some row has no value in one of these columns. */
  isLacking(columns: readonly string[]): boolean {
    return columns.some((name) => (this.#columns.get(name)?.filled ?? 0) < this.#rows);
  }

  #length(name: string | null): number {
    return name === null ? -1 : (this.#columns.get(name)?.length ?? 0);
  }

  #holdsLanguages(name: string): boolean {
    const values = this.#values(name);
    return values.length > 0 && values.every((value) => LANGUAGE.test(value));
  }

  #values(name: string | null): readonly string[] {
    const seen = name === null ? undefined : this.#columns.get(name);
    return seen === undefined ? [] : Array.from(seen.values, (value) => value.trim());
  }
}
