import { isCut, modelTraits } from "../provider/index.js";
import type { RowTask, TranslatedSoFar } from "../protocol/events.js";
import type { Answer, ModelRequest } from "../types.js";
import { estimateTokens } from "../usage/index.js";
import { nextPiece, type TextPiece } from "./text-piece.js";

/** A translation may have more tokens than its source: twice as many fit what the model can answer with. */
const OUTPUT_GROWTH = 2;

/** One call of a row whose text is longer than its translation model takes. */
export interface TranslationPart {
  readonly request: ModelRequest;
  readonly piece: TextPiece;
}

/**
 * The part of a long translation that is to be called next; null for requests that go out whole.
 *
 * A row is called part by part. What is translated stands in the journal, so a part that fails is called again alone, by
 * whichever worker.
 */
export function nextTranslationPart({ request, translated }: RowTask): TranslationPart | null {
  const { translation, maxOutputTokens } = modelTraits(request.model);
  const [message] = request.messages;
  if (!translation || maxOutputTokens === null || typeof message?.content !== "string") return null;
  const text = message.content;
  const maxTokens = Math.floor(maxOutputTokens / OUTPUT_GROWTH);
  if (translated === undefined && estimateTokens(text) <= maxTokens) return null;
  const piece = nextPiece(text, translated?.upTo ?? 0, (part) => estimateTokens(part) <= maxTokens);
  return { piece, request: { ...request, messages: [{ ...message, content: piece.text }] } };
}

/** What is translated once this part is answered. White space between parts stays as it was in the source. */
export function withPart(
  before: TranslatedSoFar | undefined,
  { piece }: TranslationPart,
  answer: Answer,
): TranslatedSoFar {
  const wasCut = before?.finishReason === "length" || isCut(answer.finishReason);
  return {
    text: (before?.text ?? "") + piece.gap + answer.text.trim(),
    upTo: piece.end,
    parts: (before?.parts ?? 0) + 1,
    finishReason: wasCut ? "length" : answer.finishReason,
  };
}

/** In how many calls a row's text is translated, those already made included; 1 for all other rows. */
export function translationParts(task: RowTask): number {
  let { translated } = task;
  for (let parts = translated?.parts ?? 0; ; parts++) {
    const part = nextTranslationPart({ ...task, ...(translated === undefined ? {} : { translated }) });
    if (part === null || part.piece.isLast) return parts + 1;
    translated = { text: "", upTo: part.piece.end, parts: parts + 1, finishReason: "stop" };
  }
}
