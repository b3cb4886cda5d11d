import type { Answer, ModelRequest } from "../types.js";
import { displayUrl } from "./base-url.js";
import { planCall } from "./call-plan.js";
import type { CallPlan } from "./call-plan.js";
import { dashScopeBody, hasMedia, hasVendorUpload, openAiBody, PROTOCOL_PATHS } from "./encode-request.js";
import type { Endpoint, Environment } from "./endpoint.js";
import { isStreamOnly, isWrongFamily } from "./errors/classify-error.js";
import { HaltJudge } from "./errors/halt-judge.js";
import type { VendorError } from "./errors/vendor-error.js";
import { Connections } from "./http/connections.js";
import type { Exchange } from "./http/exchange.js";
import { proxyFor } from "./http/proxy.js";
import { vendorErrorIn } from "./http/read-exchange.js";
import { modelTraits } from "./models.js";
import type { NativeFamily } from "./models.js";
import { ProviderError } from "./provider.js";
import type { CallOptions, Provider } from "./provider.js";
import { ProviderLog } from "./provider-log.js";
import type { ProviderLogEvent } from "./provider-log.js";
import { readAnswer } from "./read-answer.js";
import type { ReadingContext } from "./read-answer.js";
import { structuredRequest } from "./structured-request.js";

export interface CreateProviderOptions {
  readonly apiKey: string | null;
  /** Connections kept at most: the concurrency of the calls. */
  readonly connections: number;
  /** Longest body accepted, headers apart. @default 64 MiB: a long thinking answer, streamed token by token. */
  readonly maxResponseBytes?: number;
  readonly log?: (event: ProviderLogEvent) => void;
  /** Where HTTPS_PROXY and its like are read from. @default process.env */
  readonly environment?: Environment;
}

const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

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
  readonly #context: ReadingContext;
  readonly #connections: Connections;
  readonly #judge = new HaltJudge();
  readonly #basePath: string;
  readonly #query: string;
  readonly #headers: string[];
  readonly #streamHeaders: string[];
  /** What refusals taught us about models, for the life of this provider. */
  readonly #familyOf = new Map<string, NativeFamily>();
  readonly #needsStream = new Set<string>();

  constructor(endpoint: Endpoint, options: CreateProviderOptions) {
    const { apiKey, connections, maxResponseBytes = MAX_RESPONSE_BYTES } = options;
    const url = new URL(endpoint.baseUrl);
    const proxy = proxyFor(url, options.environment ?? process.env);
    this.#endpoint = endpoint;
    this.#context = {
      endpoint,
      where: endpoint.displayUrl + (proxy === null ? "" : `, by way of the proxy ${displayUrl(proxy.url)},`),
      apiKey,
      log: new ProviderLog(endpoint.provider, apiKey, options.log),
    };
    this.#connections = new Connections(url, { connections, maxResponseBytes, proxy });
    this.#basePath = url.pathname.replace(/\/$/, "");
    this.#query = url.search;
    this.#headers = ["content-type", "application/json", "accept", "application/json"];
    this.#headers.push("accept-encoding", "identity", "user-agent", "promptmill");
    if (apiKey !== null) this.#headers.push("authorization", `Bearer ${apiKey}`);
    this.#streamHeaders = this.#headers.with(3, "text/event-stream");
    if (endpoint.protocol === "dashscope") this.#streamHeaders.push("x-dashscope-sse", "enable");
  }

  async call(asked: ModelRequest, options: CallOptions): Promise<Answer> {
    const request = structuredRequest(asked, this.#endpoint.vendor);
    const { model } = request;
    this.#judge.began(model);
    let answer: Answer;
    try {
      answer = await this.#attempt(request, options);
    } catch (error) {
      this.#learnFrom(error, model);
      throw await this.#judge.failed(model, error, options.signal);
    }
    this.#judge.answered(model);
    return answer;
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  /** One call, or two where the first was refused for its form. */
  async #attempt(request: ModelRequest, options: CallOptions): Promise<Answer> {
    const family = this.#familyOf.get(request.model) ?? familyFor(request);
    const plan = planCall(request, this.#endpoint, this.#needsStream.has(request.model));
    const exchange = await this.#send(request, plan, family, options);
    const refusal = vendorErrorIn(exchange);
    const first = { exchange, refusal, request, plan };
    const remedy = refusal === null ? null : this.#remedyFor(refusal, request, plan, family);
    if (remedy === null) return readAnswer(first, this.#context);
    const better = remedy === "stream" ? { ...plan, stream: true } : plan;
    const second = await this.#send(request, better, remedy === "stream" ? family : remedy, options);
    const secondRefusal = vendorErrorIn(second);
    // Refused on both: what the first said is about the service that our table knows for this model.
    if (secondRefusal !== null && remedy !== "stream" && isWrongFamily(secondRefusal)) {
      return readAnswer(first, this.#context);
    }
    if (secondRefusal === null && second.statusCode === 200) this.#learn(request.model, remedy);
    return readAnswer({ exchange: second, refusal: secondRefusal, request, plan: better }, this.#context);
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
    const exchange = await this.#connections.send({
      path: this.#basePath + PROTOCOL_PATHS[native ? family : "openai"] + this.#query,
      headers: hasVendorUpload(request) ? [...headers, "x-dashscope-ossresourceresolve", "enable"] : headers,
      body: native ? dashScopeBody(request, plan, family) : openAiBody(request, plan),
      signal,
      timeoutMs,
    });
    if (exchange.aborted) throw exchange.abortReason;
    return exchange;
  }

  #remedyFor(refusal: VendorError, request: ModelRequest, plan: CallPlan, family: NativeFamily): Remedy {
    if (this.#endpoint.protocol === "dashscope" && isWrongFamily(refusal)) {
      return family === "text-generation" ? "multimodal-generation" : "text-generation";
    }
    const canStream = !plan.stream && modelTraits(request.model).streaming !== "never";
    return canStream && isStreamOnly(refusal) ? "stream" : null;
  }

  /** The service gave up after its 300 s: the next attempts of this model keep the line alive instead. */
  #learnFrom(error: unknown, model: string): void {
    if (!(error instanceof ProviderError) || error.kind !== "timeout" || this.#endpoint.batchChat) return;
    if (error.httpStatus !== null && error.httpStatus !== 400) this.#learn(model, "stream");
  }

  #learn(model: string, remedy: NativeFamily | "stream"): void {
    if (remedy === "stream" ? this.#needsStream.has(model) : this.#familyOf.get(model) === remedy) return;
    if (remedy === "stream") this.#needsStream.add(model);
    else this.#familyOf.set(model, remedy);
    this.#context.log.modelLearned(model, remedy);
  }
}

/** By the table; of a model that it does not know, by whether the request holds media. */
function familyFor(request: ModelRequest): NativeFamily {
  const traits = modelTraits(request.model);
  if (traits.known || !request.messages.some((message) => hasMedia(message.content)))
    return traits.nativeFamily;
  return "multimodal-generation";
}
