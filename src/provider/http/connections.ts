import { setTimeout } from "node:timers/promises";
import { Client, Pool, ProxyAgent, type Dispatcher } from "undici";
import {
  Exchange,
  serverCloseOf,
  type Connection,
  type ExchangeOptions,
  type OutgoingCall,
} from "./exchange.js";
import type { Proxy } from "./proxy.js";

export interface ConnectionsOptions {
  /** At most so many at once. */
  readonly connections: number;
  readonly maxResponseBytes: number;
  readonly proxy: Proxy | null;
}

const CONNECT_TIMEOUT_MS = 30_000;
/** A server that closes sooner after its first answer than this never meant to keep the connection. */
const CLOSES_AT_ONCE_MS = 1_000;
const WITNESS_WITHIN_MS = 50;

/**
 * The connections to one origin, direct or by way of a proxy.
 *
 * States: keeping (connections are used again); fresh (each call has a connection of its own). Some servers close a
 * connection after their answer without saying so, and a call that crosses the close on its way is lost without
 * having been seen. Such a call is sent once more, and from then on nothing is kept.
 */
export class Connections {
  readonly #origin: URL;
  readonly #options: ConnectionsOptions;
  #dispatcher: Dispatcher;
  #retired: Dispatcher | null = null;
  #closesEarly = false;

  constructor(origin: URL, options: ConnectionsOptions) {
    this.#origin = origin;
    this.#options = options;
    this.#dispatcher = this.#open(1);
  }

  async send(call: OutgoingCall): Promise<Exchange> {
    const first = await this.#run(call);
    // A reset may also be the end of a call that the server had taken up: it needs a witness among its neighbours.
    if (first.lostConnection === "reset" && !this.#closesEarly) await setTimeout(WITNESS_WITHIN_MS);
    const isUnseen =
      first.lostConnection === "closed" || (first.lostConnection === "reset" && this.#closesEarly);
    if (!isUnseen || call.signal.aborted) return first;
    this.#keepNone();
    return await this.#run(call);
  }

  async close(): Promise<void> {
    await Promise.all([this.#dispatcher.destroy(), this.#retired?.destroy()]);
  }

  #run(call: OutgoingCall): Promise<Exchange> {
    const { proxy, maxResponseBytes } = this.#options;
    const { origin, host } = this.#origin;
    if (proxy === null || this.#isTunnelled())
      return Exchange.run(this.#dispatcher, call, origin, maxResponseBytes);
    // Plain HTTP is asked of the proxy itself, under the full URL: many refuse tunnels to port 80.
    const headers = [...call.headers, "host", host];
    if (proxy.authorization !== null) headers.push("proxy-authorization", proxy.authorization);
    const asked = { ...call, path: origin + call.path, headers };
    return Exchange.run(this.#dispatcher, asked, proxy.url.origin, maxResponseBytes);
  }

  #keepNone(): void {
    this.#closesEarly = true;
    if (this.#retired !== null) return;
    this.#retired = this.#dispatcher;
    this.#dispatcher = this.#open(0);
    void this.#retired.close().catch(() => undefined);
  }

  #isTunnelled(): boolean {
    return this.#options.proxy !== null && this.#origin.protocol === "https:";
  }

  /** `pipelining`: 1 keeps connections, 0 does not (undici's words for it). */
  #open(pipelining: 0 | 1): Dispatcher {
    const { proxy } = this.#options;
    const factory = (origin: string | URL, options: object): KeptClient =>
      new KeptClient(origin, options, () => this.#keepNone());
    const connect = { timeout: CONNECT_TIMEOUT_MS };
    const common = { connections: Math.max(1, this.#options.connections), pipelining };
    if (proxy === null || !this.#isTunnelled()) {
      return new Pool(proxy?.url.origin ?? this.#origin.origin, { ...common, factory, connect });
    }
    return new ProxyAgent({
      ...common,
      uri: proxy.url.origin,
      ...(proxy.authorization !== null && { token: proxy.authorization }),
      proxyTls: connect,
      requestTls: connect,
      factory: (origin: string | URL, options: object) => new Pool(origin, { ...options, factory }),
    });
  }
}

/** One connection at a time, which knows how often it was of use and notices when the server ends it unasked. */
class KeptClient extends Client implements Connection {
  answers = 0;
  #answeredAtMs = 0;
  #isBusy = false;

  constructor(origin: string | URL, options: Client.Options, onClosedEarly: () => void) {
    super(origin, options);
    this.on("connect", () => {
      this.answers = 0;
      this.#isBusy = false;
    });
    this.on("disconnect", (_origin, _targets, error) => {
      const isEarly = this.answers === 1 && performance.now() - this.#answeredAtMs < CLOSES_AT_ONCE_MS;
      if (!this.#isBusy && isEarly && serverCloseOf(error) !== null) onClosedEarly();
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if ("exchange" in options) (options as ExchangeOptions).exchange.connection = this;
    return super.dispatch(options, handler);
  }

  began(): void {
    this.#isBusy = true;
  }

  answered(): void {
    this.#isBusy = false;
    this.answers += 1;
    this.#answeredAtMs = performance.now();
  }
}
