/**
 * What a terminal acts on (C0, DEL, C1), what shows text in another order than it has (UAX #9), line separators, and
 * halves of characters.
 */
const UNFIT = /[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069]/gu;

/**
 * Text from outside, fit for one line of a terminal, a log or a message: each control character, line break and
 * bidirectional override becomes U+FFFD. For texts of several lines, apply it to each.
 */
export function printable(text: string): string {
  return text.replaceAll(UNFIT, "\ufffd");
}
