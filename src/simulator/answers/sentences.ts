/** A stop that does not end a sentence: a title, a common abbreviation, an initial. */
const abbreviation = /(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|No|vs|etc|cf|e\.g|i\.e|[A-Z])\.$/;

const sentencePattern =
  /[^.!?。！？｡\n]*(?:[。！？｡]+[」』”’）]*|[.!?]+["'”’)\]]*(?=\s|$)|[.!?]|\n\s*\n|\n|$)/g;

/**
 * Splits a text into its sentences, trimmed, in order. Knows Latin stops followed by white space, the
 * full-width stops 。！？ with closing quotes, and blank lines; a single line break does not end a sentence
 * unless the line looks like a heading. Empty for a text without words.
 */
export function splitSentences(text: string): string[] {
  const sentences: string[] = [];
  let pending = "";
  for (const [piece] of text.matchAll(sentencePattern)) {
    if (piece === "") continue;
    pending += piece;
    if (!endsSentence(pending)) continue;
    push(sentences, pending);
    pending = "";
  }
  push(sentences, pending);
  return sentences;
}

function endsSentence(text: string): boolean {
  if (/\n\s*\n$/.test(text)) return true;
  if (/[。！？｡][」』”’）]*$/.test(text)) return true;
  return /[.!?]["'”’)\]]*$/.test(text) && !/\.\S+\.$/.test(text.slice(-6)) && !abbreviation.test(text);
}

function push(sentences: string[], text: string): void {
  const sentence = text.replace(/\s+/g, " ").trim();
  if (/[\p{L}\p{N}]/u.test(sentence)) sentences.push(sentence);
}
