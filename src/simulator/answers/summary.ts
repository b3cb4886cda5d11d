import { splitSentences } from "./sentences.js";

/** Long documents are read up to here, so that one huge row cannot stall the server. */
const maxCharacters = 60_000;

const commonWords = new Set(
  (
    "about after again also although been before being between both could does down during each even ever every " +
    "first from further have having here into itself just like made many more most much must never only other " +
    "over said same shall should some such than that their them then there these they this those through under " +
    "until upon very were what when where which while will with within without would your"
  ).split(" "),
);

/**
 * An extractive summary: the document's first sentence and those that say most of what it talks about,
 * in the document's order, `count` at most. Sentences weigh by how often their words (of four letters and
 * more; pairs of characters in Chinese and Japanese) occur in the whole document.
 */
export function extractiveSummary(document: string, count: number): string {
  const sentences = splitSentences(document.slice(0, maxCharacters));
  if (sentences.length <= count) return joinSentences(sentences);
  const words = sentences.map(wordsOf);
  const frequency = new Map<string, number>();
  for (const word of words.flat()) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  const ranked = sentences
    .map((sentence, index) => ({ index, weight: weightOf(words[index] ?? [], frequency, sentence.length) }))
    .slice(1)
    .sort((left, right) => right.weight - left.weight || left.index - right.index)
    .slice(0, count - 1);
  const chosen = [0, ...ranked.map((entry) => entry.index)].sort((left, right) => left - right);
  return joinSentences(chosen.map((index) => sentences[index] ?? ""));
}

function wordsOf(sentence: string): string[] {
  const words: string[] = [];
  for (const [run] of sentence.matchAll(/[\p{L}\p{N}]+/gu)) {
    if (!/[\u3040-\u30ff\u3400-\u9fff]/.test(run)) {
      const word = run.toLowerCase();
      if (word.length >= 4 && !commonWords.has(word)) words.push(word);
      continue;
    }
    for (let index = 0; index + 1 < run.length; index++) words.push(run.slice(index, index + 2));
  }
  return words;
}

function weightOf(words: readonly string[], frequency: ReadonlyMap<string, number>, length: number): number {
  let weight = 0;
  for (const word of new Set(words)) weight += Math.min(frequency.get(word) ?? 0, 12) - 1;
  // Neither a run-on paragraph nor a heading should win by its length.
  return weight / Math.sqrt(Math.max(length, 40));
}

function joinSentences(sentences: readonly string[]): string {
  let text = "";
  for (const sentence of sentences) {
    text += text === "" || /[。！？｡」』”）]$/.test(text) ? sentence : ` ${sentence}`;
  }
  return text;
}

const numberWords: Readonly<Record<string, number>> = {
  one: 1,
  single: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  一: 1,
  两: 2,
  兩: 2,
  二: 2,
  三: 3,
  四: 4,
  五: 5,
};

/** How many sentences the instructions ask for, 1 to 12; 3 when they do not say. */
export function sentenceCount(instructions: string): number {
  const english =
    /\b(\d+|one|single|two|three|four|five)(?:\s*(?:to|-|–)\s*(\d+|two|three|four|five))?[\s-]+(?:\w+\s+)?sentences?\b/i;
  const found =
    english.exec(instructions) ?? /(\d+|[一两兩二三四五])\s*(?:句|个句子|個句子|文で)/.exec(instructions);
  const word = (found?.[2] ?? found?.[1] ?? "").toLowerCase();
  const count = numberWords[word] ?? Number(word);
  return Number.isInteger(count) && count >= 1 ? Math.min(count, 12) : 3;
}
