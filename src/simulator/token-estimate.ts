/**
 * Tokens as the simulator counts them, in twentieths: a Chinese, Japanese or Korean character is 0.7 of
 * a token, four other characters are one. Near enough to real tokenizers to move limits and prices.
 */
const twentiethsPerToken = 20;
const wideCharacter = 14;
const narrowCharacter = 5;

function isWide(codeUnit: number): boolean {
  return (
    codeUnit >= 0x2e80 &&
    (codeUnit <= 0xd7ff || (codeUnit >= 0xf900 && codeUnit <= 0xfaff) || codeUnit >= 0xff00)
  );
}

/** Tokens of a text: 0 for an empty one, else at least 1. */
export function estimateTokens(text: string): number {
  let twentieths = 0;
  for (let index = 0; index < text.length; index++) {
    twentieths += isWide(text.charCodeAt(index)) ? wideCharacter : narrowCharacter;
  }
  return Math.ceil(twentieths / twentiethsPerToken);
}

/** The longest beginning of `text` of at most `tokens` tokens. Never splits a surrogate pair. */
export function truncateToTokens(text: string, tokens: number): string {
  const available = tokens * twentiethsPerToken;
  let twentieths = 0;
  for (let index = 0; index < text.length; index++) {
    twentieths += isWide(text.charCodeAt(index)) ? wideCharacter : narrowCharacter;
    if (twentieths > available) return text.slice(0, endOfCharacter(text, index));
  }
  return text;
}

/** Moves an end position back by one where it would split a surrogate pair. */
export function endOfCharacter(text: string, end: number): number {
  const before = text.charCodeAt(end - 1);
  return end > 0 && before >= 0xd800 && before <= 0xdbff ? end - 1 : end;
}
