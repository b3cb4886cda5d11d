import { type AnswerEnvelope } from "./answer-body.js";
import { composeAnswer } from "./answers/compose-answer.js";
import { inputTokens } from "./answers/input-tokens.js";
import {
  jsonHeaders,
  markerError,
  missingKey,
  missingModel,
  requestIdentifier,
  throttledNumber,
  unknownModel,
  unreadableBody,
  unstreamed,
  waitTimeoutMs,
} from "./call-terms.js";
import {
  type ChatRequest,
  type Endpoint,
  lastUserText,
  promptText,
  protocolOf,
  readChatRequest,
} from "./chat-request.js";
import { deliver, deliverPings, deliverSpoiled } from "./delivery.js";
import { errorBody, errorCode, invalidParameter } from "./error-body.js";
import type { Exchange } from "./exchange.js";
import {
  isAnswerFault,
  isTransportFault,
  plannedFault,
  plannedOddities,
  type SimulatedFault,
} from "./faults.js";
import { isRecord, parseJson } from "./json.js";
import { latencyMs } from "./latency.js";
import { type Markers, markersOfCall, readMarkers } from "./markers.js";
import { type ModelTraits, modelTraits } from "./model-traits.js";
import { otherReplies } from "./other-replies.js";
import { RateLimiter } from "./rate-limiter.js";
import { drawUniform, requestFingerprint } from "./request-fingerprint.js";
import { refusal } from "./request-rules.js";
import type { ResolvedSimulatorOptions } from "./simulator-options.js";
import { isVendorErrorName, type VendorError, vendorErrors } from "./vendor-errors.js";

/** A call whose body was read, before the rate limiter has admitted it. */
interface Arrival {
  readonly exchange: Exchange;
  readonly request: ChatRequest;
  readonly fingerprint: string;
  readonly inputTokens: number;
  /** Of its prompt, or why they cannot be read. */
  readonly markers: Markers | string;
}

/** A call that has its number: what every later step needs to know of it. */
interface Call extends Arrival {
  /** Those of this very call, with the oddities that are planned for it. */
  readonly markers: Markers;
  readonly requestId: string;
  /** Among the admitted calls of this request, from 1. */
  readonly number: number;
}

/** How often a call that waits for its burst to pass tries again. */
const waitStepMs = 100;
/** Faults that need no answer to be made, beside refusals and the replies of others. */
const unanswered: readonly string[] = ["connection_reset", "hang", "pings"];

/**
 * Decides what becomes of a call: key, limits, the vendor's rules, then the fault that is planned or asked
 * for by marker, then the answer. One per simulator.
 */
export class ModelServer {
  readonly #options: ResolvedSimulatorOptions;
  #limiter: RateLimiter;

  constructor(options: ResolvedSimulatorOptions) {
    this.#options = options;
    this.#limiter = new RateLimiter(options.limits);
  }

  /** Forgets the load so far. */
  reset(): void {
    this.#limiter = new RateLimiter(this.#options.limits);
  }

  /** Takes a call whose whole body is there; null for one that was too large to read. */
  handle(exchange: Exchange, endpoint: Endpoint, body: string | null): void {
    const parsed = body === null ? null : parseJson(body);
    const problem = this.#keyProblem(exchange.key()) ?? (body === null ? vendorErrors.too_large : null);
    if (problem !== null || body === null || !isRecord(parsed)) {
      const protocol = protocolOf(endpoint);
      const error = problem ?? unreadableBody;
      const id = requestIdentifier("0".repeat(64), exchange.log.total);
      const outcome = { kind: "rejected", code: errorCode(error, protocol) } as const;
      exchange.send(error.status, jsonHeaders(id), errorBody(error, protocol, id), outcome);
      return;
    }
    const request = readChatRequest(parsed, endpoint, exchange.header("x-dashscope-sse") === "enable");
    const fingerprint = requestFingerprint(parsed);
    exchange.fingerprint = fingerprint;
    exchange.log.note(fingerprint, lastUserText(request));
    const markers = body.includes("[[sim:") ? readMarkers(promptText(request)) : {};
    this.#admit({ exchange, request, fingerprint, inputTokens: inputTokens(request).total, markers });
  }

  #keyProblem(key: string | null): VendorError | null {
    const { apiKey, requireKey } = this.#options;
    if (key === null) return requireKey || apiKey !== null ? missingKey : null;
    return apiKey !== null && key !== apiKey ? vendorErrors.invalid_api_key : null;
  }

  /** Calls that may wait for a burst to pass come here again until they are admitted or `waitUntilMs`. */
  #admit(arrival: Arrival, waitUntilMs: number | null = null): void {
    const { exchange, request, fingerprint, markers } = arrival;
    const nowMs = performance.now();
    const throttle = this.#limiter.admit(request.model, arrival.inputTokens, nowMs);
    const untilMs = waitUntilMs ?? nowMs + waitTimeoutMs(exchange.header("x-dashscope-wait-timeout"));
    if (throttle === "burst_rate" && nowMs < untilMs) {
      exchange.after(waitStepMs, () => this.#admit(arrival, untilMs));
      return;
    }
    // A throttled call is none of its request's admitted ones; the count of all keeps its id apart.
    const number = throttle === null ? exchange.log.admit(fingerprint) : throttledNumber + exchange.log.total;
    const { errors, seed, strictModels } = this.#options;
    const readable = typeof markers === "string" ? {} : markersOfCall(markers, number);
    const call: Call = {
      ...arrival,
      markers: { ...plannedOddities(errors, seed, fingerprint, number), ...readable },
      number,
      requestId: requestIdentifier(fingerprint, number),
    };
    const traits = request.model === "" ? null : modelTraits(request.model, strictModels);
    if (throttle !== null) this.#refuse(call, vendorErrors[throttle]);
    else if (typeof markers === "string") this.#refuse(call, invalidParameter(markers));
    else if (traits === null) this.#refuse(call, request.model === "" ? missingModel : unknownModel(request));
    else {
      const problem = refusal(request, traits, arrival.inputTokens);
      if (problem === null) this.#proceed(call, traits);
      else this.#refuse(call, problem);
    }
  }

  #proceed(call: Call, traits: ModelTraits): void {
    const { exchange, markers, request } = call;
    const later = (action: () => void): void => exchange.after(markers.delay ?? 0, action);
    if (markers.status !== undefined) {
      later(() => this.#refuse(call, markerError(markers)));
      return;
    }
    const { errors, seed } = this.#options;
    const fault = markers.fault ?? plannedFault(errors, seed, call.fingerprint, call.number);
    if (fault !== null) exchange.log.meet(fault);
    const met = fault !== null && !request.stream ? (unstreamed[fault] ?? fault) : fault;
    if (met === null) this.#answer(call, traits, null);
    else if (isVendorErrorName(met)) later(() => this.#refuse(call, vendorErrors[met]));
    else if (Object.hasOwn(otherReplies, met) || unanswered.includes(met)) later(() => this.#fail(call, met));
    else this.#answer(call, traits, met);
  }

  /** What happens instead of an answer: another's reply, a reset, pings or nothing at all. */
  #fail({ exchange, request, markers, requestId }: Call, fault: SimulatedFault): void {
    const reply = otherReplies[fault];
    if (reply !== undefined) {
      const headers = { ...reply.headers, ...retryAfter(markers.retry_after ?? null) };
      exchange.send(reply.status, headers, reply.body, { kind: "rejected", code: String(reply.status) });
    } else if (fault === "connection_reset") {
      exchange.reset({ kind: "dropped", usage: null });
    } else if (fault === "pings") {
      deliverPings(exchange, jsonHeaders(requestId), request.stream, this.#options.slowBodyMs / 20);
    }
  }

  #answer(call: Call, traits: ModelTraits, fault: SimulatedFault | null): void {
    const { exchange, request, markers, fingerprint, number } = call;
    const { seed, latency, perOutputTokenMs, batchChatDelayMs, slowBodyMs } = this.#options;
    const answer = composeAnswer(request, {
      traits,
      markers,
      fault: fault !== null && isAnswerFault(fault) ? fault : null,
      draw: drawUniform(seed, fingerprint, number * 8 + 3),
      callId: call.requestId.replaceAll("-", "").slice(0, 24),
      variant: variantOf(call, seed),
    });
    const envelope: AnswerEnvelope = {
      request,
      answer,
      traits,
      markers,
      requestId: call.requestId,
      created: Math.floor(Date.now() / 1_000),
    };
    const waitMs =
      latencyMs(latency, seed, fingerprint, number) +
      (markers.delay ?? 0) +
      (request.endpoint === "batch-chat" ? batchChatDelayMs : 0);
    const generationMs = perOutputTokenMs * answer.usage.output;
    exchange.making = answer.usage;
    exchange.after(request.stream ? waitMs : waitMs + generationMs, () => {
      this.#limiter.addOutput(request.model, answer.usage.output, performance.now());
      const headers = jsonHeaders(call.requestId);
      const delivery = { exchange, envelope, headers, generationMs, slowBodyMs };
      if (fault !== null && isTransportFault(fault)) deliverSpoiled(delivery, fault);
      else deliver(delivery);
    });
  }

  #refuse({ exchange, request, markers, requestId }: Call, error: VendorError): void {
    const waitSeconds =
      markers.retry_after ?? (error.status === 429 ? this.#options.retryAfterSeconds : null);
    const headers = { ...jsonHeaders(requestId), ...retryAfter(waitSeconds) };
    const body = errorBody(error, request.protocol, requestId);
    const outcome = { kind: "rejected", code: errorCode(error, request.protocol) } as const;
    if (request.protocol === "dashscope" && request.stream) {
      // The native path frames refusals as events when events were asked for, beside the HTTP status.
      const event = `id:1\nevent:error\n:HTTP_STATUS/${error.status}\ndata:${body}\n\n`;
      exchange.send(error.status, { ...headers, "content-type": "text/event-stream" }, event, outcome);
      return;
    }
    exchange.send(error.status, headers, body, outcome);
  }
}

function retryAfter(seconds: number | null): { "retry-after"?: string } {
  return seconds === null ? {} : { "retry-after": String(seconds) };
}

const variants = 997;

/**
 * Which of its texts a call gets: always the same one at temperature 0, where none is given, and of
 * translation models; the same at every call with a seed; else another one at each.
 */
function variantOf({ request, fingerprint, number }: Call, seed: number): number {
  const { temperature, seed: askedSeed } = request.parameters;
  if (typeof temperature !== "number" || temperature === 0) return 0;
  const salt = typeof askedSeed === "number" ? -2 : -2 - number;
  return 1 + Math.floor(variants * drawUniform(seed, fingerprint, salt));
}
