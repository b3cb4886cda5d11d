import { Pool } from "undici";
import type { Answer, ModelRequest } from "../types.js";
import { answerOf, unusable, usageOf } from "./reply/answer.js";
import { planCall } from "./call-plan.js";
import type { CallPlan } from "./call-plan.js";
import { isStreamOnly, isWrongFamily, readVendorError } from "./errors/classify-error.js";
import type { VendorError } from "./errors/classify-error.js";
import { providerErrorOf } from "./errors/describe-error.js";
import { dashScopeBody, hasMedia, hasVendorUpload, openAiBody, PROTOCOL_PATHS } from "./encode-request.js";
import type { Endpoint } from "./endpoint.js";
import { Exchange } from "./http/exchange.js";
import { headerId, parseJson, vendorErrorIn } from "./http/read-exchange.js";
import { modelTraits } from "./models.js";
import type { NativeFamily } from "./models.js";
import { networkError } from "./http/network-error.js";
import type { CallOptions, Provider, ProviderError } from "./provider.js";
import { safeText } from "./redact.js";
import { readReply } from "./reply/reply.js";
import { readRetryAfterMs } from "./http/retry-after.js";
import { structuredRequest } from "./structured-request.js";

/** Something a maintainer of the tables should hear of. Bodies are free of the key and capped. */
export type ProviderLogEvent =
  | {
      readonly event: "unknown_error";
      readonly provider: string;
      readonly httpStatus: number;
      readonly code: string;
      readonly body: string;
    }
  | {
      readonly event: "model_learned";
      readonly provider: string;
      readonly model: string;
      readonly learned: NativeFamily | "stream";
    };

export interface CreateProviderOptions {
  readonly apiKey: string | null;
  /** Connections kept at most: the concurrency of the calls. */
  readonly connections: number;
  /** Longest body accepted, headers apart. @default 64 MiB: a long thinking answer, streamed token by token. */
  readonly maxResponseBytes?: number;
  readonly log?: (event: ProviderLogEvent) => void;
}

const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 30_000;
const LOGGED_AT_MOST = 100;
const LOGGED_CHARACTERS = 2000;

/**
 * Opens a pool of connections to one endpoint. Nothing is connected before the first call; `close` destroys
 * the pool. The key stays inside: it is in no property, message or log event.
 */
export function createProvider(endpoint: Endpoint, options: CreateProviderOptions): Provider {
  return new HttpProvider(endpoint, options);
}

/** What a failed call can be mended with on the spot, once: it was refused for its form and not billed. */
type Remedy = NativeFamily | "stream" | null;

class HttpProvider implements Provider {
  readonly #endpoint: Endpoint;
  readonly #apiKey: string | null;
  readonly #log: ((event: ProviderLogEvent) => void) | undefined;
  readonly #pool: Pool;
  readonly #basePath: string;
  readonly #query: string;
  readonly #headers: string[];
  readonly #streamHeaders: string[];
  /** What refusals taught us about models, for the life of this provider. */
  readonly #familyOf = new Map<string, NativeFamily>();
  readonly #needsStream = new Set<string>();
  readonly #logged = new Set<string>();

  constructor(endpoint: Endpoint, options: CreateProviderOptions) {
    const url = new URL(endpoint.baseUrl);
    this.#endpoint = endpoint;
    this.#apiKey = options.apiKey;
    this.#log = options.log;
    this.#basePath = url.pathname.replace(/\/$/, "");
    this.#query = url.search;
    this.#headers = [
      "content-type",
      "application/json",
      "accept",
      "application/json",
      "user-agent",
      "promptmill",
    ];
    if (options.apiKey !== null) this.#headers.push("authorization", `Bearer ${options.apiKey}`);
    this.#streamHeaders = this.#headers.with(3, "text/event-stream");
    if (endpoint.protocol === "dashscope") this.#streamHeaders.push("x-dashscope-sse", "enable");
    this.#pool = new Pool(url.origin, {
      connections: Math.max(1, options.connections),
      pipelining: 1,
      maxResponseSize: options.maxResponseBytes ?? MAX_RESPONSE_BYTES,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    });
  }

  async call(asked: ModelRequest, options: CallOptions): Promise<Answer> {
    const request = structuredRequest(asked, this.#endpoint.vendor);
    const family = this.#familyOf.get(request.model) ?? familyFor(request);
    const plan = planCall(request, this.#endpoint, this.#needsStream.has(request.model));
    const exchange = await this.#send(request, plan, family, options);
    const refusal = vendorErrorIn(exchange);
    const remedy = refusal === null ? null : this.#remedyFor(refusal, request, plan, family);
    if (remedy === null) return this.#answer(exchange, refusal, request, plan);
    const better = remedy === "stream" ? { ...plan, stream: true } : plan;
    const second = await this.#send(request, better, remedy === "stream" ? family : remedy, options);
    const secondRefusal = vendorErrorIn(second);
    // Refused on both: what the first said is about the service that our table knows for this model.
    if (secondRefusal !== null && remedy !== "stream" && isWrongFamily(secondRefusal)) {
      return this.#answer(exchange, refusal, request, plan);
    }
    if (secondRefusal === null && second.statusCode === 200) this.#learn(request.model, remedy);
    return this.#answer(second, secondRefusal, request, better);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #send(
    request: ModelRequest,
    plan: CallPlan,
    family: NativeFamily,
    options: CallOptions,
  ): Promise<Exchange> {
    const { signal, timeoutMs } = options;
    signal.throwIfAborted();
    const native = this.#endpoint.protocol === "dashscope";
    const headers = plan.stream ? this.#streamHeaders : this.#headers;
    const exchange = await Exchange.run(this.#pool, {
      path: this.#basePath + PROTOCOL_PATHS[native ? family : "openai"] + this.#query,
      headers: hasVendorUpload(request) ? [...headers, "x-dashscope-ossresourceresolve", "enable"] : headers,
      body: native ? dashScopeBody(request, plan, family) : openAiBody(request, plan),
      signal,
      timeoutMs,
    });
    if (exchange.aborted) throw exchange.abortReason;
    return exchange;
  }

  #answer(exchange: Exchange, refusal: VendorError | null, request: ModelRequest, plan: CallPlan): Answer {
    const { stream } = exchange;
    const billed = stream === null ? null : usageOf(stream.reply(), plan.thinking);
    if (refusal !== null) throw this.#refused(refusal, exchange, request, billed);
    // A stream that was cut after its finish reason and its usage is whole all the same.
    const whole = stream !== null && stream.finished && billed !== null;
    if (exchange.failure !== null && !whole) throw networkError(exchange.failure, this.#endpoint, billed);
    if (stream === null) return this.#plainAnswer(exchange, request, plan);
    const reply = stream.reply();
    const requestId = reply.requestId ?? headerId(exchange);
    if (!stream.finished) {
      const what = stream.damaged
        ? "a chunk of the stream is not JSON"
        : "the stream ended before the answer did";
      throw unusable(what, billed, requestId, "truncated_stream");
    }
    return answerOf(reply, request, plan.thinking, requestId, this.#apiKey);
  }

  #plainAnswer(exchange: Exchange, request: ModelRequest, plan: CallPlan): Answer {
    const body = parseJson(exchange.body);
    if (body === undefined) {
      const what =
        exchange.body.trim() === ""
          ? "is empty"
          : `is not JSON: ${safeText(exchange.body, this.#apiKey, 120)}`;
      throw unusable(`the body of the answer ${what}`, null, headerId(exchange), "malformed_json");
    }
    const reply = readReply(body);
    if (reply === null || (reply.text === null && reply.finishReason === null)) {
      // Some servers and gateways report errors under HTTP 200.
      const refusal = readVendorError(body, 200);
      const billed = reply === null ? null : usageOf(reply, plan.thinking);
      if (refusal !== null) throw this.#refused(refusal, exchange, request, billed);
    }
    return answerOf(reply, request, plan.thinking, headerId(exchange), this.#apiKey);
  }

  #refused(
    refusal: VendorError,
    exchange: Exchange,
    request: ModelRequest,
    usage: Answer["usage"] | null,
  ): ProviderError {
    const context = { endpoint: this.#endpoint, apiKey: this.#apiKey, model: request.model };
    const named = { ...refusal, requestId: refusal.requestId ?? headerId(exchange) };
    const retryAfterMs = readRetryAfterMs(exchange.headers, Date.now());
    const { error, classification } = providerErrorOf(named, context, retryAfterMs, usage);
    // The service gave up after its 300 s: the next attempts of this model keep the line alive instead.
    if (error.kind === "timeout" && refusal.status !== 400 && !this.#endpoint.batchChat) {
      this.#learn(request.model, "stream");
    }
    if (!classification.known) this.#logOnce(error, exchange);
    return error;
  }

  #remedyFor(refusal: VendorError, request: ModelRequest, plan: CallPlan, family: NativeFamily): Remedy {
    if (this.#endpoint.protocol === "dashscope" && isWrongFamily(refusal)) {
      return family === "text-generation" ? "multimodal-generation" : "text-generation";
    }
    const canStream = !plan.stream && modelTraits(request.model).streaming !== "never";
    return canStream && isStreamOnly(refusal) ? "stream" : null;
  }

  #learn(model: string, remedy: NativeFamily | "stream"): void {
    if (remedy === "stream" ? this.#needsStream.has(model) : this.#familyOf.get(model) === remedy) return;
    if (remedy === "stream") this.#needsStream.add(model);
    else this.#familyOf.set(model, remedy);
    this.#log?.({ event: "model_learned", provider: this.#endpoint.provider, model, learned: remedy });
  }

  #logOnce(error: ProviderError, exchange: Exchange): void {
    const seen = `${error.httpStatus} ${error.code}`;
    if (this.#log === undefined || this.#logged.has(seen) || this.#logged.size >= LOGGED_AT_MOST) return;
    this.#logged.add(seen);
    const body = exchange.stream === null ? exchange.body : error.message;
    this.#log({
      event: "unknown_error",
      provider: this.#endpoint.provider,
      httpStatus: error.httpStatus ?? exchange.statusCode,
      code: error.code,
      body: safeText(body, this.#apiKey, LOGGED_CHARACTERS),
    });
  }
}

/** By the table; of a model that it does not know, by whether the request holds media. */
function familyFor(request: ModelRequest): NativeFamily {
  const traits = modelTraits(request.model);
  if (traits.known || !request.messages.some((message) => hasMedia(message.content)))
    return traits.nativeFamily;
  return "multimodal-generation";
}
