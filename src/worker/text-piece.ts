/** A piece of a text, and the white space between it and the piece before. */
export interface TextPiece {
  /** White space before the piece. */
  readonly gap: string;
  /** Never empty, no white space at either end. */
  readonly text: string;
  /** Where the next piece begins to be looked for, in UTF-16 units. */
  readonly end: number;
  readonly isLast: boolean;
}

/** Where a text may be parted, best first: after a paragraph, a line, a sentence, a clause, a word. */
const BOUNDARIES: readonly RegExp[] = [
  /\n[^\S\n]*\n\s*/g,
  /\n\s*/g,
  /[.!?…؟।][)\]"'”’»]*\s+|[。！？｡][」』”’）]*\s*/g,
  /[;:,،、；：，]\s+|[、；：，]/g,
  /\s+/g,
];
/** A better boundary is taken only if the piece keeps at least this share of what would fit. */
const LEAST_SHARE = 0.3;

/**
 * The next piece of `text` from `from` on that fits, as long as possible and parted where it reads best. A
 * text without any boundary is cut between characters. `fits` must hold for every prefix of what fits.
 */
export function nextPiece(text: string, from: number, fits: (part: string) => boolean): TextPiece {
  const start = from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0);
  const gap = text.slice(from, start);
  const rest = text.slice(start).trimEnd();
  if (fits(rest)) return { gap, text: rest, end: text.length, isLast: true };
  const length = partLength(rest.slice(0, longestFitting(rest, fits)));
  const piece = rest.slice(0, length).trimEnd();
  return { gap, text: piece, end: start + piece.length, isLast: false };
}

/** Length of the longest prefix that fits, at least 1. */
function longestFitting(text: string, fits: (part: string) => boolean): number {
  let low = 1;
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(text.slice(0, middle))) low = middle;
    else high = middle - 1;
  }
  return low;
}

function partLength(window: string): number {
  for (const boundary of BOUNDARIES) {
    let best = 0;
    for (const found of window.matchAll(boundary)) {
      // A match at the very end may go on beyond the window; what it follows is whole all the same.
      best = found.index + found[0].length;
    }
    if (best >= window.length * LEAST_SHARE) return best;
  }
  const splitsPair = /[\uD800-\uDBFF]$/.test(window) && window.length > 1;
  return splitsPair ? window.length - 1 : window.length;
}
