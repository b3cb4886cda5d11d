import { endOfCharacter } from "../token-estimate.js";
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

/** Sentences of a summary are cut here: a document without stops is one sentence. */
const maxSentenceLength = 400;

/**
 * A summary in the form that the instructions ask for: so many sentences, or one sentence and so many
 * points below it. "NO CONTENT" for a document without words.
 */
export function summaryText(document: string, instructions: string): string {
  const points = countIn(instructions, bulletPatterns);
  if (points === null) {
    return (
      joinSentences(summarySentences(document, countIn(instructions, sentencePatterns) ?? 3)) || noContent
    );
  }
  const [first, ...rest] = summarySentences(document, points + 1);
  if (first === undefined) return noContent;
  return rest.length === 0 ? first : `${first}\n\n${rest.map((sentence) => `- ${sentence}`).join("\n")}`;
}

const noContent = "NO CONTENT";

/**
 * An extractive summary: the document's first sentence and those that say most of what it talks about,
 * in the document's order, `count` at most. Sentences weigh by how often their words (of four letters and
 * more; pairs of characters in Chinese and Japanese) occur in the whole document.
 */
export function summarySentences(document: string, count: number): string[] {
  const sentences = splitSentences(document.slice(0, maxCharacters));
  if (sentences.length <= count) return sentences.map(shorten);
  const words = sentences.map(wordsOf);
  const frequency = new Map<string, number>();
  for (const word of words.flat()) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  const ranked = sentences
    .map((sentence, index) => ({ index, weight: weightOf(words[index] ?? [], frequency, sentence.length) }))
    .slice(1)
    .sort((left, right) => right.weight - left.weight || left.index - right.index)
    .slice(0, count - 1);
  const chosen = [0, ...ranked.map((entry) => entry.index)].sort((left, right) => left - right);
  return chosen.map((index) => shorten(sentences[index] ?? ""));
}

function shorten(sentence: string): string {
  if (sentence.length <= maxSentenceLength) return sentence;
  return `${sentence.slice(0, endOfCharacter(sentence, maxSentenceLength))}…`;
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

const number = "(\\d+|one|single|two|three|four|five|[一两兩二三四五])";
const upTo = `${number}(?:\\s*(?:to|-|–|至|到)\\s*${number})?`;
const sentencePatterns = [
  new RegExp(`\\b${upTo}[\\s-]+(?:\\w+\\s+)?sentences?\\b`, "i"),
  new RegExp(`${upTo}\\s*(?:句|个句子|個句子|文で)`),
];
const bulletPatterns = [
  new RegExp(`\\b${upTo}[\\s-]+(?:\\w+\\s+)?(?:bullets?|points)\\b`, "i"),
  new RegExp(`${upTo}\\s*(?:个|個)?(?:要点|要點)`),
];

/** The number that instructions give, the lower one of a range, 1 to 12; null when they give none. */
function countIn(instructions: string, patterns: readonly RegExp[]): number | null {
  for (const pattern of patterns) {
    const word = pattern.exec(instructions)?.[1]?.toLowerCase() ?? "";
    const count = numberWords[word] ?? Number(word);
    if (Number.isInteger(count) && count >= 1) return Math.min(count, 12);
  }
  return null;
}
