import type { ChatRequest } from "./chat-request.js";

interface TokenLogprob {
  readonly token: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
}

/**
 * `logprobs` of a choice, in both protocols: an entry for each token of the text (a word here), joined they
 * are the text; with as many `top_logprobs` as were asked for, the token's own first. null when the request
 * does not ask for them.
 */
export function logProbabilities(
  text: string,
  { parameters }: ChatRequest,
): { content: readonly (TokenLogprob & { top_logprobs: readonly TokenLogprob[] })[] } | null {
  if (parameters["logprobs"] !== true) return null;
  const top = typeof parameters["top_logprobs"] === "number" ? parameters["top_logprobs"] : 0;
  const content = (text.match(/\s*\S+|\s+$/g) ?? []).map((token) => ({
    ...candidate(token, 0),
    top_logprobs: Array.from({ length: top }, (_, rank) => candidate(token, rank)),
  }));
  return { content };
}

/** The token itself has probability 0.8, the words that were not chosen share what is left. */
function candidate(chosen: string, rank: number): TokenLogprob {
  const token = `${chosen}${"'".repeat(rank)}`;
  return { token, bytes: [...Buffer.from(token)], logprob: Math.log(rank === 0 ? 0.8 : 0.2 / 2 ** rank) };
}
