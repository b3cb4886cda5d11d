import type { Dispatcher } from "undici";
import { listenForAbort, stopListening, type Abortable } from "../abort-listeners.js";
import { CallTimeout } from "./network-error.js";
import { EventParser } from "./sse.js";
import { StreamAssembly } from "../reply/stream-assembly.js";

export interface OutgoingCall {
  readonly path: string;
  /** Name, value, name, value…: built once per provider. */
  readonly headers: string[];
  readonly body: string;
  readonly signal: AbortSignal;
  /** In total; between chunks once the answer turns out to be streamed. */
  readonly timeoutMs: number;
}

type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The longest delay that a timer takes. */
const LONGEST_TIMER_MS = 2_147_483_647;
/** A stream may trickle for as long as Model Studio would hold a call: an hour. */
const STREAM_CEILING_MS = 3_600_000;
/** undici's own timers are coarse and stand behind ours, for a socket that we lost sight of. */
const BACKSTOP_MS = 5_000;

/**
 * One HTTP call, from dispatch to the last byte. Handles undici's events itself instead of using
 * `Pool.request`: no stream object, promise chain or closure per call.
 *
 * States: queued, sent (`#controller` set), receiving (`statusCode` set), settled. The promise never
 * rejects: `failure` says what broke, `abortReason` that the caller's signal ended it. Settling detaches
 * from signal and timer; a stream that is complete but not closed keeps its timer, which then closes it.
 */
export class Exchange implements Dispatcher.DispatchHandler, Abortable {
  statusCode = 0;
  headers: ResponseHeaders = {};
  /** The whole body of an answer that was not streamed. */
  body = "";
  /** Set as soon as a streamed answer begins. */
  stream: StreamAssembly | null = null;
  failure: unknown = null;
  aborted = false;
  abortReason: unknown = undefined;
  /** For `listenForAbort`. */
  place = -1;

  readonly #call: OutgoingCall;
  readonly #resolve: (exchange: Exchange) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | null = null;
  #parser: EventParser | null = null;
  #chunks: Buffer[] = [];
  #deadline = Infinity;
  #settled = false;

  /** Sends the call; resolves when it is answered, broken, timed out or aborted. */
  static run(dispatcher: Dispatcher, call: OutgoingCall): Promise<Exchange> {
    return new Promise((resolve) => {
      const exchange = new Exchange(call, resolve);
      const backstop = Math.min(call.timeoutMs, LONGEST_TIMER_MS) + BACKSTOP_MS;
      dispatcher.dispatch(
        {
          path: call.path,
          method: "POST",
          headers: call.headers,
          body: call.body,
          headersTimeout: backstop,
          bodyTimeout: backstop,
        },
        exchange,
      );
    });
  }

  private constructor(call: OutgoingCall, resolve: (exchange: Exchange) => void) {
    this.#call = call;
    this.#resolve = resolve;
    this.#timer = setTimeout(timeOut, Math.min(call.timeoutMs, LONGEST_TIMER_MS), this);
    listenForAbort(call.signal, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) controller.abort(new Error("the call was given up before it was sent"));
    else this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: ResponseHeaders,
  ): void {
    controller.rawHeaders = null; // a kilobyte that nobody reads, and that lives as long as the call
    if (statusCode < 200) return;
    this.statusCode = statusCode;
    this.headers = headers;
    const type = headers["content-type"];
    // DashScope words a refused stream as an event too, under the status of the refusal.
    if (typeof type === "string" && type.toLowerCase().startsWith("text/event-stream")) {
      this.stream = new StreamAssembly();
      this.#parser = new EventParser(this.stream);
      this.#deadline = Date.now() + Math.max(STREAM_CEILING_MS, this.#call.timeoutMs);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    if (this.#parser === null) {
      this.#chunks.push(chunk);
      return;
    }
    this.#timer.refresh();
    if (this.#parser.push(chunk)) this.#settle(true);
    else if (Date.now() > this.#deadline) this.timeOut();
  }

  onResponseEnd(): void {
    if (this.#parser !== null) {
      if (!this.#settled) this.#parser.end();
    } else {
      const only = this.#chunks.length === 1 ? this.#chunks[0] : undefined;
      this.body = (only ?? Buffer.concat(this.#chunks)).toString("utf8");
    }
    this.#settle(false);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#settled) this.failure = error;
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
    if (!this.#settled) this.failure = new CallTimeout(this.#call.timeoutMs, this.stream !== null);
    this.#giveUp();
  }

  #giveUp(): void {
    this.#settle(false);
    this.#controller?.abort(new Error("the call was given up"));
  }

  #settle(keepTimer: boolean): void {
    if (!keepTimer) clearTimeout(this.#timer);
    if (this.#settled) return;
    this.#settled = true;
    this.#chunks = [];
    stopListening(this.#call.signal, this);
    this.#resolve(this);
  }
}

function timeOut(exchange: Exchange): void {
  exchange.timeOut();
}
