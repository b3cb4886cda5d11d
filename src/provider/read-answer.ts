import type { Answer, ModelRequest } from "../types.js";
import type { CallPlan } from "./call-plan.js";
import { providerErrorOf } from "./errors/describe-error.js";
import { readVendorError } from "./errors/vendor-error.js";
import type { VendorError } from "./errors/vendor-error.js";
import type { Endpoint } from "./endpoint.js";
import type { Exchange } from "./http/exchange.js";
import { networkError } from "./http/network-error.js";
import { headerId, parseJson, webPageTitle } from "./http/read-exchange.js";
import { ProviderError } from "./provider.js";
import type { ProviderLog } from "./provider-log.js";
import { safeId, safeText } from "./redact.js";
import { answerOf, unusable, usageOf } from "./reply/answer.js";
import { finishMeaning } from "./reply/finish-reason.js";
import { readReply } from "./reply/reply.js";
import type { Reply } from "./reply/reply.js";

const BROKEN = "the server broke the answer off";

/** What every exchange of a provider is read with. */
export interface ReadingContext {
  readonly endpoint: Endpoint;
  /** Where calls go, in words: with the proxy, where there is one. */
  readonly where: string;
  readonly apiKey: string | null;
  readonly log: ProviderLog;
}

/** One exchange that has ended, with what was asked in it. */
export interface EndedExchange {
  readonly exchange: Exchange;
  /** The server's error, by `vendorErrorIn`. */
  readonly refusal: VendorError | null;
  readonly request: ModelRequest;
  readonly plan: CallPlan;
}

/** The answer in an exchange; throws the ProviderError for all that is none. */
export function readAnswer(ended: EndedExchange, context: ReadingContext): Answer {
  const { exchange, refusal, plan } = ended;
  const { stream } = exchange;
  const streamed = stream?.reply() ?? null;
  const billed = streamed === null ? null : usageOf(streamed, plan.thinking);
  if (refusal !== null) throw refused(ended, context, refusal, streamed);
  // A stream that was cut after its finish reason and its usage is whole all the same.
  const isWhole = stream !== null && stream.finished && billed !== null;
  if (exchange.failure !== null && !isWhole) {
    throw networkError(exchange.failure, { where: context.where, usage: billed, isSent: exchange.isSent });
  }
  const reply = streamed ?? plainReply(ended, context);
  if (stream !== null && !stream.finished) {
    const what = stream.damaged
      ? "a chunk of the stream is not JSON"
      : "the stream ended before the answer did";
    const id = safeId(reply?.requestId ?? headerId(exchange), context.apiKey);
    throw unusable(what, billed, id, "truncated_stream");
  }
  const breakage = reply === null ? null : breakageIn(reply);
  if (breakage !== null) throw refused(ended, context, breakage, reply);
  const requestId = headerId(exchange);
  const { request } = ended;
  const answer = answerOf(reply, { request, thinking: plan.thinking, requestId, apiKey: context.apiKey });
  if (finishMeaning(answer.finishReason) === null) {
    context.log.unknownFinishReason(request.model, answer.finishReason);
  }
  return answer;
}

function plainReply(ended: EndedExchange, context: ReadingContext): Reply | null {
  const { exchange } = ended;
  const body = parseJson(exchange.body);
  if (body === undefined) throw notJson(exchange, context);
  const reply = readReply(body);
  if (reply === null || (reply.text === null && reply.finishReason === null)) {
    // Some servers and gateways report errors under HTTP 200.
    const refusal = readVendorError(body, 200);
    if (refusal !== null) throw refused(ended, context, refusal, reply);
  }
  return reply;
}

function notJson(exchange: Exchange, { apiKey, endpoint }: ReadingContext): ProviderError {
  const title = webPageTitle(exchange.body);
  const what =
    exchange.body.trim() === ""
      ? "is empty"
      : title !== null
        ? `is ${safeText(title, apiKey, 120)}, not JSON; is ${endpoint.displayUrl} the right base URL?`
        : `is not JSON: ${safeText(exchange.body, apiKey, 120)}`;
  return new ProviderError(`the body of the answer ${what}`, {
    disposition: "retryable",
    kind: "bad_response",
    code: "malformed_json",
    httpStatus: 200,
    requestId: safeId(headerId(exchange), apiKey),
    // A page is not what a model says.
    mayHaveBeenBilled: title === null,
  });
}

/** What broke an answer off, by its own word or by its finish reason; null when it is whole. */
function breakageIn({ error, finishReason, requestId }: Reply): VendorError | null {
  if (error !== null) {
    return { ...error, message: `${BROKEN}: ${error.message}`, requestId: error.requestId ?? requestId };
  }
  if (finishReason === null || finishMeaning(finishReason) !== "broken") return null;
  const code = finishReason === "error" ? "answer_broken" : finishReason;
  return { status: 200, code, message: `${BROKEN}: ${finishReason}`, requestId };
}

/** `reply`: what came beside the error or before it. */
function refused(
  { exchange, request, plan, refusal }: EndedExchange,
  { endpoint, apiKey, log }: ReadingContext,
  error: VendorError,
  reply: Reply | null,
): ProviderError {
  const named = { ...error, requestId: safeId(error.requestId ?? headerId(exchange), apiKey) };
  const hasReason = reply !== null && reply.finishReason !== null;
  const isBroken = refusal === null && reply !== null && (reply.error !== null || hasReason);
  const { error: failure, classification } = providerErrorOf(
    named,
    { endpoint, apiKey, model: request.model },
    {
      headers: exchange.headers,
      usage: reply === null ? null : usageOf(reply, plan.thinking),
      hadBegun: reply !== null && (reply.text !== null || reply.reasoning !== null || hasReason),
      isBroken,
    },
  );
  if (!classification.known && !isBroken) {
    log.unknownError(
      failure.httpStatus ?? exchange.statusCode,
      failure.code,
      exchange.stream === null ? exchange.body : failure.message,
    );
  }
  return failure;
}
