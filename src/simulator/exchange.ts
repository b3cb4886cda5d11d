import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

import type { CallLog, Outcome } from "./call-log.js";
import type { SimulatedUsage } from "./usage.js";

/**
 * One call of the model, from its arrival to its one outcome.
 *
 * Open until settled: `send`, `finishStream` and `reset` settle it with the outcome given; a client that
 * leaves before settles it as dropped. Waits end with the exchange, so that no timer outlives its socket.
 */
export class Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly log: CallLog;
  #timer: NodeJS.Timeout | null = null;
  #open = true;
  /** Set once the body is read; null before. */
  fingerprint: string | null = null;
  /** What the answer in the making will have cost; null when none is made. */
  making: SimulatedUsage | null = null;

  constructor(request: IncomingMessage, response: ServerResponse, log: CallLog, nowMs: number) {
    this.#request = request;
    this.#response = response;
    this.log = log;
    log.begin(nowMs);
    response.once("close", () => this.abandon());
  }

  /** Gives up an exchange that nobody waits for any more; no effect on a settled one. */
  abandon(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#settle({ kind: "dropped", usage: this.making });
  }

  header(name: string): string | null {
    const value = this.#request.headers[name];
    return typeof value === "string" ? value : null;
  }

  /** As a bearer token, or as the vendor's gateway takes it from the address too; null for none. */
  key(): string | null {
    const bearer = /^Bearer (\S+)/.exec(this.header("authorization") ?? "")?.[1];
    return bearer ?? new URLSearchParams(this.#request.url?.split("?")[1]).get("api_key");
  }

  /** Runs an action after a while, at once for 0; never when the exchange is settled by then. */
  after(delayMs: number, action: () => void): void {
    if (delayMs <= 0) {
      action();
      return;
    }
    this.#timer = setTimeout(() => {
      if (this.#open) action();
    }, delayMs);
  }

  send(status: number, headers: OutgoingHttpHeaders, body: string | Uint8Array, outcome: Outcome): void {
    if (!this.#open) return;
    this.#settle(outcome);
    this.#response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
    this.#response.end(body);
  }

  /** Starts a body that `write` continues; `contentLength` null leaves it chunked. */
  begin(status: number, headers: OutgoingHttpHeaders, contentLength: number | null): void {
    if (!this.#open) return;
    this.#response.writeHead(
      status,
      contentLength === null ? headers : { ...headers, "content-length": contentLength },
    );
    this.#response.flushHeaders();
  }

  write(piece: string | Uint8Array): void {
    if (this.#open) this.#response.write(piece);
  }

  finishStream(outcome: Outcome): void {
    if (!this.#open) return;
    this.#settle(outcome);
    this.#response.end();
  }

  /** Closes the connection when the answer is out, although its head lets the client keep it. */
  closeAfterAnswer(): void {
    this.#response.once("finish", () => this.#request.socket.destroySoon());
  }

  /** Resets the connection, so that the client sees ECONNRESET rather than an orderly end. */
  reset(outcome: Outcome): void {
    if (!this.#open) return;
    this.#settle(outcome);
    this.#request.socket.resetAndDestroy();
  }

  #settle(outcome: Outcome): void {
    if (!this.#open) return;
    this.#open = false;
    this.log.end(this.fingerprint, outcome);
  }
}
