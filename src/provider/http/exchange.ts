import type { Dispatcher } from "undici";
import { listenForAbort, stopListening, type Abortable } from "../abort-listeners.js";
import type { StreamAssembly } from "../reply/stream-assembly.js";
import { AnswerBody } from "./answer-body.js";
import { ContentDecoder, type DecodedSink } from "./content-encoding.js";
import { AnswerTooLarge, CallTimeout } from "./network-error.js";

export interface OutgoingCall {
  readonly path: string;
  /** Name, value, name, value…: built once per provider. */
  readonly headers: string[];
  readonly body: string;
  readonly signal: AbortSignal;
  /** In total; between pieces of the answer once it turns out to be streamed. */
  readonly timeoutMs: number;
}

/** What an exchange tells the connection that carries it, and learns from it. */
export interface Connection {
  /** Answers that came over it so far. */
  readonly answers: number;
  began(): void;
  answered(): void;
}

/** Read by `KeptClient.dispatch`: undici hands the options on as they are. */
export interface ExchangeOptions extends Dispatcher.DispatchOptions {
  readonly exchange: Exchange;
}

type Controller = Dispatcher.DispatchController;
type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The longest delay that a timer takes. */
const LONGEST_TIMER_MS = 2_147_483_647;
/** A stream may trickle for as long as Model Studio would hold a call: an hour. */
const STREAM_CEILING_MS = 3_600_000;
/** undici's own timers are coarse and stand behind ours, for a socket that we lost sight of. */
const BACKSTOP_MS = 5_000;
/** A connection that the server had closed already says so within a round trip; later, it had begun to work. */
const CLOSE_CROSSED_MS = 2_000;

/**
 * One HTTP call, from dispatch to the last byte. Handles undici's events itself instead of using
 * `Pool.request`: no stream object, promise chain or closure per call.
 *
 * States: queued, sent (`isSent`), receiving (`statusCode` set), settled. The promise never
 * rejects: `failure` says what broke, `abortReason` that the caller's signal ended it. Settling detaches
 * from signal and timer; a stream that is complete but not closed keeps its timer, which then closes it.
 */
export class Exchange implements Dispatcher.DispatchHandler, Abortable, DecodedSink {
  statusCode = 0;
  headers: ResponseHeaders = {};
  /** The whole body of an answer that was not streamed. */
  body = "";
  failure: unknown = null;
  aborted = false;
  abortReason: unknown = undefined;
  /** Some of the request may have reached the server. */
  isSent = false;
  /** How a connection ended that had answered before and brought no byte now: in good order, or by a reset. */
  lostConnection: "closed" | "reset" | null = null;
  connection: Connection | null = null;
  /** For `listenForAbort`. */
  place = -1;

  readonly #call: OutgoingCall;
  readonly #maxBytes: number;
  readonly #resolve: (exchange: Exchange) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Controller | null = null;
  #answer: AnswerBody | null = null;
  #decoder: ContentDecoder | null = null;
  #bytes = 0;
  #pieces = 0;
  #sentAtMs = 0;
  #wasUsed = false;
  #deadline = Infinity;
  #settled = false;

  /** Sends the call; resolves when it is answered, broken, timed out or aborted. */
  static run(
    dispatcher: Dispatcher,
    call: OutgoingCall,
    origin: string,
    maxBytes: number,
  ): Promise<Exchange> {
    return new Promise((resolve) => {
      const exchange = new Exchange(call, maxBytes, resolve);
      const backstop = Math.min(call.timeoutMs, LONGEST_TIMER_MS) + BACKSTOP_MS;
      const options: ExchangeOptions = {
        origin,
        path: call.path,
        method: "POST",
        headers: call.headers,
        body: call.body,
        headersTimeout: backstop,
        bodyTimeout: backstop,
        exchange,
      };
      dispatcher.dispatch(options, exchange);
    });
  }

  private constructor(call: OutgoingCall, maxBytes: number, resolve: (exchange: Exchange) => void) {
    this.#call = call;
    this.#maxBytes = maxBytes;
    this.#resolve = resolve;
    this.#timer = setTimeout(timeOut, Math.min(call.timeoutMs, LONGEST_TIMER_MS), this);
    listenForAbort(call.signal, this);
  }

  /** Set as soon as a streamed answer begins. */
  get stream(): StreamAssembly | null {
    return this.#answer?.stream ?? null;
  }

  onRequestStart(controller: Controller): void {
    if (this.#settled) {
      controller.abort(new Error("the call was given up before it was sent"));
      return;
    }
    this.#controller = controller;
    this.isSent = true;
    this.#wasUsed = (this.connection?.answers ?? 0) > 0;
    this.#sentAtMs = performance.now();
    this.connection?.began();
  }

  /** The first byte of an answer: undici says so to whoever has this. */
  onResponseStarted(): void {
    this.#wasUsed = false;
  }

  onResponseStart(controller: Controller, statusCode: number, headers: ResponseHeaders): void {
    controller.rawHeaders = null; // a kilobyte that nobody reads, and that lives as long as the call
    if (statusCode < 200) return;
    this.statusCode = statusCode;
    this.headers = headers;
    const type = headers["content-type"];
    this.#answer = new AnswerBody(typeof type === "string" && /^\s*text\/event-stream/i.test(type));
    this.#decoder = ContentDecoder.for(headers["content-encoding"], this);
    this.#deadline = Date.now() + Math.max(STREAM_CEILING_MS, this.#call.timeoutMs);
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    if (this.#settled) return;
    if (this.#decoder === null) this.decoded(chunk);
    else this.#decoder.push(chunk);
  }

  onResponseEnd(): void {
    this.connection?.answered();
    if (this.#decoder === null) this.decodingEnded(null);
    else this.#decoder.end();
  }

  onResponseError(_controller: Controller, error: Error): void {
    if (this.#settled) {
      this.#settle(false);
      return;
    }
    this.failure = error;
    if (this.#wasUsed && performance.now() - this.#sentAtMs < CLOSE_CROSSED_MS)
      this.lostConnection = serverCloseOf(error);
    this.#settle(false);
  }

  decoded(chunk: Buffer): void {
    if (this.#settled || this.#answer === null) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.#fail(new AnswerTooLarge());
      return;
    }
    if (this.#answer.push(chunk)) this.#settle(true);
    else if (this.stream !== null) this.#watchStream(this.stream);
  }

  decodingEnded(error: Error | null): void {
    if (this.#settled) {
      this.#settle(false);
      return;
    }
    if (error === null) this.body = this.#answer?.end() ?? "";
    else this.failure = error;
    this.#settle(false);
  }

  /** The caller's signal was aborted: settles at once and destroys the socket. */
  abort(reason: unknown): void {
    if (this.#settled) return;
    this.aborted = true;
    this.abortReason = reason;
    this.#giveUp();
  }

  /** The timer ran out: the call is late, or a complete stream was never closed. */
  timeOut(): void {
    this.#fail(new CallTimeout(this.#call.timeoutMs, this.stream !== null));
  }

  /** Only pieces of the answer count against silence: comments and empty chunks keep a line alive that may be dead. */
  #watchStream({ pieces }: StreamAssembly): void {
    if (pieces !== this.#pieces) this.#timer.refresh();
    this.#pieces = pieces;
    if (Date.now() > this.#deadline) this.timeOut();
  }

  #fail(error: Error): void {
    if (!this.#settled) this.failure = error;
    this.#giveUp();
  }

  #giveUp(): void {
    this.#settle(false);
    this.#controller?.abort(new Error("the call was given up"));
  }

  #settle(keepTimer: boolean): void {
    if (!keepTimer) {
      clearTimeout(this.#timer);
      this.#decoder?.destroy();
    }
    if (this.#settled) return;
    this.#settled = true;
    stopListening(this.#call.signal, this);
    this.#resolve(this);
  }
}

/** A close in good order reaches us as an end or, when we wrote once more after it, as EPIPE. */
export function serverCloseOf(error: Error): "closed" | "reset" | null {
  const code = "code" in error ? error.code : null;
  if (code === "UND_ERR_SOCKET" || code === "EPIPE") return "closed";
  return code === "ECONNRESET" ? "reset" : null;
}

function timeOut(exchange: Exchange): void {
  exchange.timeOut();
}
