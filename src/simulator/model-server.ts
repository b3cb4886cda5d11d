import { type AnswerEnvelope } from "./answer-body.js";
import { composeAnswer } from "./answers/compose-answer.js";
import { inputTokens } from "./answers/input-tokens.js";
import {
  type ChatRequest,
  type Endpoint,
  lastUserText,
  protocolOf,
  readChatRequest,
} from "./chat-request.js";
import {
  jsonHeaders,
  markerError,
  missingModel,
  requestIdentifier,
  throttledNumber,
  unknownModel,
  unstreamed,
} from "./call-terms.js";
import { deliver, deliverSpoiled } from "./delivery.js";
import { errorBody, errorCode, invalidParameter } from "./error-body.js";
import type { Exchange } from "./exchange.js";
import { isAnswerFault, isTransportFault, plannedFault, type SimulatedFault } from "./faults.js";
import { isRecord } from "./json.js";
import { latencyMs } from "./latency.js";
import { type Markers, noMarkers, readMarkers } from "./markers.js";
import { type ModelTraits, modelTraits } from "./model-traits.js";
import { RateLimiter } from "./rate-limiter.js";
import { drawUniform, requestFingerprint } from "./request-fingerprint.js";
import { refusal } from "./request-rules.js";
import type { ResolvedSimulatorOptions } from "./simulator-options.js";
import { isVendorErrorName, type VendorError, vendorErrors } from "./vendor-errors.js";

/** A call that was read: what every later step needs to know of it. */
interface Call {
  readonly exchange: Exchange;
  readonly request: ChatRequest;
  readonly markers: Markers;
  readonly requestId: string;
  readonly fingerprint: string;
  /** Among the admitted calls of this request, from 1. */
  readonly number: number;
}

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
    const protocol = protocolOf(endpoint);
    const key = exchange.header("authorization");
    const refuse = (error: VendorError): void => {
      const id = requestIdentifier("0".repeat(64), exchange.log.total);
      const outcome = { kind: "rejected", code: errorCode(error, protocol) } as const;
      exchange.send(error.status, jsonHeaders(id), errorBody(error, protocol, id), outcome);
    };
    if (this.#options.apiKey !== null && key !== `Bearer ${this.#options.apiKey}`) {
      refuse(vendorErrors.invalid_api_key);
      return;
    }
    if (body === null) {
      refuse(vendorErrors.too_large);
      return;
    }
    const parsed = parseJson(body);
    if (!isRecord(parsed)) {
      refuse(invalidParameter("Required body invalid, please check the request body format."));
      return;
    }
    const sse = exchange.header("x-dashscope-sse") === "enable";
    const request = readChatRequest(parsed, endpoint, sse);
    const fingerprint = requestFingerprint(parsed);
    exchange.fingerprint = fingerprint;
    exchange.log.note(fingerprint, lastUserText(request));
    const markers = body.includes("[[sim:") ? readMarkers(promptText(request)) : noMarkers;
    this.#admit(exchange, request, fingerprint, markers);
  }

  #admit(exchange: Exchange, request: ChatRequest, fingerprint: string, markers: Markers | string): void {
    const tokens = inputTokens(request).total;
    const throttle = this.#limiter.admit(request.model, tokens, performance.now());
    // A throttled call is none of its request's admitted ones; the count of all keeps its id apart.
    const number = throttle === null ? exchange.log.admit(fingerprint) : throttledNumber + exchange.log.total;
    const call: Call = {
      exchange,
      request,
      markers: typeof markers === "string" ? noMarkers : markers,
      fingerprint,
      number,
      requestId: requestIdentifier(fingerprint, number),
    };
    if (throttle !== null) {
      this.#refuse(call, vendorErrors[throttle]);
      return;
    }
    if (typeof markers === "string") {
      this.#refuse(call, invalidParameter(markers));
      return;
    }
    const traits = request.model === "" ? null : modelTraits(request.model, this.#options.strictModels);
    if (traits === null) {
      this.#refuse(call, request.model === "" ? missingModel : unknownModel(request.model));
      return;
    }
    const problem = refusal(request, traits, tokens);
    if (problem === null) this.#proceed(call, traits, this.#fault(call));
    else this.#refuse(call, problem);
  }

  #fault(call: Call): SimulatedFault | null {
    const { markers, number, fingerprint } = call;
    if (markers.fault !== null && number <= markers.times) return markers.fault;
    return plannedFault(this.#options.errors, this.#options.seed, fingerprint, number);
  }

  #proceed(call: Call, traits: ModelTraits, fault: SimulatedFault | null): void {
    const { exchange, markers, request } = call;
    if (markers.status !== null && call.number <= markers.times) {
      exchange.after(markers.delayMs ?? 0, () => this.#refuse(call, markerError(markers)));
      return;
    }
    if (fault !== null) exchange.log.meet(fault);
    const met = fault !== null && !request.stream ? (unstreamed[fault] ?? fault) : fault;
    if (met !== null && isVendorErrorName(met)) {
      exchange.after(markers.delayMs ?? 0, () => this.#refuse(call, vendorErrors[met]));
      return;
    }
    if (met === "bad_gateway") {
      const page = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>";
      exchange.send(502, { "content-type": "text/html" }, page, { kind: "rejected", code: "502" });
      return;
    }
    if (met === "connection_reset") {
      exchange.after(markers.delayMs ?? 0, () => exchange.reset({ kind: "dropped" }));
      return;
    }
    if (met === "hang") return;
    this.#answer(call, traits, met);
  }

  #answer(call: Call, traits: ModelTraits, fault: SimulatedFault | null): void {
    const { exchange, request, markers, fingerprint, number } = call;
    const { seed, latency, perOutputTokenMs, batchChatDelayMs } = this.#options;
    const answer = composeAnswer(request, {
      traits,
      markers,
      fault: fault !== null && isAnswerFault(fault) ? fault : null,
      draw: drawUniform(seed, fingerprint, number * 8 + 3),
      callId: call.requestId.replaceAll("-", "").slice(0, 24),
    });
    const envelope: AnswerEnvelope = {
      request,
      answer,
      traits,
      markers,
      requestId: call.requestId,
      created: Math.floor(Date.now() / 1_000),
    };
    const wait =
      latencyMs(latency, seed, fingerprint, number) +
      (markers.delayMs ?? 0) +
      (request.endpoint === "batch-chat" ? batchChatDelayMs : 0);
    const generationMs = perOutputTokenMs * answer.usage.output;
    const headers = jsonHeaders(call.requestId);
    exchange.after(request.stream ? wait : wait + generationMs, () => {
      this.#limiter.addOutput(request.model, answer.usage.output, performance.now());
      const pace = { generationMs, slowBodyMs: this.#options.slowBodyMs };
      if (fault !== null && isTransportFault(fault)) deliverSpoiled(exchange, envelope, headers, fault, pace);
      else deliver(exchange, envelope, headers, pace);
    });
  }

  #refuse(call: Call, error: VendorError): void {
    const { exchange, request, markers, requestId } = call;
    const retryAfter =
      markers.retryAfterSeconds ?? (error.status === 429 ? this.#options.retryAfterSeconds : null);
    const headers = {
      ...jsonHeaders(requestId),
      ...(retryAfter === null ? {} : { "retry-after": String(retryAfter) }),
    };
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

function promptText(request: ChatRequest): string {
  return request.messages.map((message) => message.text).join("\n");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
