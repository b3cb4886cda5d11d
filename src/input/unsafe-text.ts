const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Says whether text holds what some stores cannot: U+0000 (PostgreSQL's text and jsonb refuse it) or a lone
 * surrogate (has no UTF-8 form).
 *
 * Files can bring U+0000 as it is; lone surrogates only through JSONL escapes such as `"\ud800"`. Rows are
 * passed on unchanged: the stage that stores them decides.
 */
export function hasUnsafeText(text: string): boolean {
  return text.includes("\0") || LONE_SURROGATE.test(text);
}

const CONTROL = /(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029\p{Surrogate}]/gu;
/** What is not seen, or looks like a common space. */
const INVISIBLE = /(?! )[\p{Cc}\p{Cf}\p{Z}\p{Surrogate}]/gu;
/** Also marks that form a character together with the one before, where another text has one for both. */
const INVISIBLE_OR_MARK = /(?! )[\p{Cc}\p{Cf}\p{M}\p{Z}\p{Surrogate}]/gu;
const SHOWN_CHARACTERS = 80;

/** Text of a file as a message may say it: what would steer a terminal, or turn its line around, is escaped. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, escaped);
}

/** A column's name or a cell in quotes, cut when it is long; what cannot be seen in it is escaped. */
export function shownText(text: string): string {
  const unseen = text === text.normalize("NFC") ? INVISIBLE : INVISIBLE_OR_MARK;
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return `"${cut.replaceAll(/["\\]/g, "\\$&").replaceAll(unseen, escaped)}"`;
}

function escaped(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
