import type { Redis } from "ioredis";
import { Unanswered } from "../protocol/hub.js";
import { HUB_SCRIPTS, type HubScript } from "./hub-scripts.js";

/** A server that is silent for so long does not answer. */
const TIMEOUT_MS = 10_000;
const MAX_RECONNECT_DELAY_MS = 2_000;

/** What Redis refuses for now: memory is full, it loads, it became a replica, its disk is full … Nothing was done then. */
const PASSING =
  /^(LOADING|OOM|READONLY|BUSY|MASTERDOWN|MISCONF|CLUSTERDOWN|NOREPLICAS|TRYAGAIN)\b|max number of clients/;
/** Told while connecting, and not to be waited out. */
const REFUSED = /^(NOAUTH|WRONGPASS|NOPERM)\b/;

/** What a script can be called with. */
export type Word = string | number;
type Scripts = Record<string, (key: string, words: readonly Word[]) => Promise<unknown>>;

/**
 * A connection on which a command is sent now or not at all, and is never repeated: a start that goes out when the server is back
 * would start a row that was given up long ago.
 *
 * Calls reject with Unanswered when the server does not answer or cannot for now, with its own error when it never will.
 */
export class HubConnection {
  readonly #redis: Redis;
  readonly #timeoutMs: number;
  #refusal: Error | null = null;

  private constructor(like: Redis, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#redis = like.duplicate({
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0, // commands under way are rejected with the connection
      connectTimeout: timeoutMs,
      disconnectTimeout: 100,
      retryStrategy: (times) => Math.min(times * 100, MAX_RECONNECT_DELAY_MS),
    });
    for (const [name, lua] of Object.entries(HUB_SCRIPTS))
      this.#redis.defineCommand(`promptmill-${name}`, { lua, numberOfKeys: 1 });
    this.#watch();
  }

  /** Connects like another connection does. Resolves after the first attempt; whatever comes of it, others follow. */
  static async open(like: Redis, timeoutMs = TIMEOUT_MS): Promise<HubConnection> {
    const connection = new HubConnection(like, timeoutMs);
    await connection.#redis.connect().catch(() => {});
    return connection;
  }

  close(): void {
    this.#redis.disconnect();
  }

  async run(script: HubScript, key: string, words: readonly Word[]): Promise<unknown> {
    const command = (this.#redis as unknown as Scripts)[`promptmill-${script}`] as Scripts[string];
    return await this.ask(() => command.call(this.#redis, key, words));
  }

  /** Several commands, one after the other; those of others may come between. */
  async commands(all: readonly (readonly [name: string, ...words: Word[]])[]): Promise<unknown[]> {
    return await this.ask((redis) => Promise.all(all.map(([name, ...words]) => redis.call(name, words))));
  }

  /** Sends what it sends now. */
  async ask<T>(send: (redis: Redis) => Promise<T>): Promise<T> {
    if (this.#redis.status !== "ready") throw this.#refusal ?? new Unanswered(`it is ${this.#redis.status}`);
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        const giveUp = (): void => {
          reject(new Unanswered(`silent for ${this.#timeoutMs} ms`));
          this.#redis.disconnect(true);
        };
        // After a block of this process the answer may be there, unread.
        timer = setTimeout(() => setImmediate(giveUp), this.#timeoutMs);
        send(this.#redis).then(resolve, reject);
      });
    } catch (error) {
      throw asUnanswered(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A server may take a connection and say nothing. */
  #watch(): void {
    let timer: NodeJS.Timeout | undefined;
    this.#redis.on("connect", () => {
      timer = setTimeout(() => this.#redis.disconnect(true), this.#timeoutMs);
    });
    this.#redis.on("ready", () => {
      clearTimeout(timer);
      this.#refusal = null;
    });
    this.#redis.on("close", () => clearTimeout(timer));
    this.#redis.on("error", (error: Error) => {
      if (REFUSED.test(error.message)) this.#refusal = error;
    });
  }
}

/** Of a server that does not answer, or cannot for now, Unanswered; any other error as it is. */
export function asUnanswered(error: unknown): unknown {
  if (error instanceof Unanswered || !(error instanceof Error)) return error;
  if (error.name === "ReplyError") return PASSING.test(error.message) ? new Unanswered(error) : error;
  return error instanceof TypeError || error instanceof RangeError ? error : new Unanswered(error);
}
