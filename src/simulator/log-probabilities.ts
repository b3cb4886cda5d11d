import type { ChatRequest } from "./chat-request.js";

interface TokenLogprob {
  readonly token: string;
  readonly bytes: readonly number[];
  readonly logprob: number;
}

/** What every simulated token's probability is: 0.8. */
const logprob = Math.log(0.8);

/**
 * `logprobs` of a choice, in both protocols: an entry for each token of the text (a word here), joined they
 * are the text. null when the request does not ask for them.
 */
export function logProbabilities(
  text: string,
  { parameters }: ChatRequest,
): { content: readonly (TokenLogprob & { top_logprobs: readonly TokenLogprob[] })[] } | null {
  if (parameters["logprobs"] !== true) return null;
  const wantsTop = typeof parameters["top_logprobs"] === "number" && parameters["top_logprobs"] > 0;
  const content = (text.match(/\s*\S+|\s+$/g) ?? []).map((token) => {
    const entry = { token, bytes: [...Buffer.from(token)], logprob };
    return { ...entry, top_logprobs: wantsTop ? [entry] : [] };
  });
  return { content };
}
