/** A stop that does not end a sentence: a title, an abbreviation with stops inside, an initial. */
const abbreviation =
  /(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|No|vs|etc|cf|[A-Z]|(?:[A-Za-z]\.)+[A-Za-z])\.$/;

const sentencePattern =
  /[^.!?。！？｡\n]*(?:[。！？｡]+[」』”’）]*|[.!?]+["'”’)\]]*(?=\s|$)|[.!?]+|\n\s*\n|\n|$)/g;

/**
 * Splits a text into its sentences, trimmed, in order. Knows Latin stops followed by white space, the
 * full-width stops 。！？ with closing quotes, and blank lines; a single line break does not end a sentence
 * unless the line looks like a heading. Empty for a text without words.
 */
export function splitSentences(text: string): string[] {
  const sentences: string[] = [];
  let pending = "";
  for (const found of text.matchAll(sentencePattern)) {
    const [piece] = found;
    if (piece === "") continue;
    pending += piece;
    const next = text[found.index + piece.length];
    if (!endsSentence(pending, next === undefined || /\s/.test(next))) continue;
    push(sentences, pending);
    pending = "";
  }
  push(sentences, pending);
  return sentences;
}

/** `beforeSpace`: white space or the end follows, without which a Latin stop is part of a number or name. */
function endsSentence(text: string, beforeSpace: boolean): boolean {
  const end = text.slice(-24);
  if (/\n\s*\n$/.test(end) || /[。！？｡][」』”’）]*$/.test(end)) return true;
  return beforeSpace && /[.!?]["'”’)\]]*$/.test(end) && !abbreviation.test(end);
}

function push(sentences: string[], text: string): void {
  const sentence = text.replace(/\s+/g, " ").trim();
  if (/[\p{L}\p{N}]/u.test(sentence)) sentences.push(sentence);
}
