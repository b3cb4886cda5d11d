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
