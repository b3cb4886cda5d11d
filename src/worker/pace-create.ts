import type { Redis } from "ioredis";
import type { Log } from "../log.js";
import { listenForAbort, stopListening } from "../provider/abort-listeners.js";
import type { ProviderError } from "../provider/provider.js";
import { RedisPaceStore } from "../queue/pace-redis.js";
import { PACE_RULES } from "../queue/pace-rules.js";
import type { PaceStore } from "../queue/pace-store.js";
import type { ModelRequest, Usage } from "../types.js";
import { isAnswer, isOutage, PaceBreaker } from "./pace-breaker.js";
import { throttleCause } from "./pace-cause.js";
import { PaceKeeper, type Start } from "./pace-keeper.js";
import { MemoryPaceStore } from "./pace-memory.js";
import { PaceTokens } from "./pace-tokens.js";
import type { Pacer, PaceHolder, PaceStatus, Permit } from "./pacer.js";

/** Requests per second with which a load begins: where limits are known or the vendor punishes growth. */
const START_PER_SECOND = 3;
const SLOW_START_PER_SECOND = 10;

export interface PacerOptions {
  /** Shares the pace with everybody on this Redis; null: with nobody. */
  readonly redis: Redis | null;
  /** See `paceAccount`. */
  readonly account: string;
  /** The run's own; the lowest of all runs that share the account and model holds. */
  readonly limits: {
    readonly requestsPerMinute?: number | undefined;
    readonly tokensPerMinute?: number | undefined;
  };
  /** Calls that this pacer's user makes at once at most. */
  readonly concurrency: number;
  /** See `beginsSlowly`. */
  readonly beginsSlowly: boolean;
  readonly log: Log;
}

/** Opens the pacer of one run in this process. Shares what others learn about the account's models. */
export function createPacer(options: PacerOptions): Pacer {
  const store = options.redis === null ? new MemoryPaceStore() : new RedisPaceStore(options.redis);
  return new AccountPacer(options, store);
}

interface ModelPace {
  readonly keeper: PaceKeeper;
  readonly tokens: PaceTokens;
}

class AccountPacer implements Pacer {
  readonly #options: PacerOptions;
  readonly #store: PaceStore;
  readonly #breaker: PaceBreaker;
  readonly #models = new Map<string, ModelPace>();
  #storeFailed = false;

  constructor(options: PacerOptions, store: PaceStore) {
    this.#options = options;
    this.#store = store;
    this.#breaker = new PaceBreaker(options.concurrency);
  }

  tryAcquire(request: ModelRequest): Permit | null {
    if (this.#breaker.isOpen) return null;
    const pace = this.#pace(request.model);
    const start = pace.keeper.tryAcquire();
    return start === null
      ? null
      : new CallPermit(pace, this.#breaker, { start, estimate: null, isProbe: false });
  }

  async acquire(request: ModelRequest, signal: AbortSignal): Promise<Permit> {
    const pace = this.#pace(request.model);
    for (;;) {
      const entry = this.#breaker.enter();
      if (typeof entry === "number") {
        await pause(entry, signal);
        continue;
      }
      const isProbe = entry === "probe";
      let estimate: number | null = null;
      const cost = (): number => {
        if (!pace.keeper.needsCost) return 0;
        estimate ??= pace.tokens.estimate(request);
        return pace.tokens.expected(estimate, request);
      };
      try {
        const start = await pace.keeper.acquire(cost, signal);
        if (isProbe || !this.#breaker.isOpen)
          return new CallPermit(pace, this.#breaker, { start, estimate, isProbe });
        pace.keeper.ended(start, 0); // the endpoint went away while this call waited for its slot
      } catch (error) {
        this.#breaker.left(isProbe);
        throw error;
      }
    }
  }

  status(): PaceStatus {
    const replies = [...this.#models.values()].flatMap(({ keeper }) => keeper.reply ?? []);
    return {
      holder: this.#holder(replies),
      throttledForMs: Math.max(0, ...replies.map(({ throttledForMs }) => throttledForMs)),
      downForMs: this.#breaker.downForMs,
      wasAnswered: this.#breaker.wasAnswered,
    };
  }

  watch(model: string): void {
    this.#pace(model).keeper.watch();
  }

  close(): void {
    for (const { keeper } of this.#models.values()) keeper.close();
  }

  #holder(replies: readonly NonNullable<PaceKeeper["reply"]>[]): PaceHolder | null {
    const breaker = this.#breaker;
    if (breaker.isOpen) return { kind: "endpoint_down", code: breaker.code, probeInMs: breaker.probeInMs };
    const forMs = Math.max(0, ...replies.map(({ coolDownMs }) => coolDownMs));
    if (forMs > 0) return { kind: "throttled", forMs };
    const held = replies.find(({ controlled, waiting }) => controlled && waiting > 0);
    if (held === undefined) return null;
    const share = held.isGiven ? PACE_RULES.headroom : 1;
    return {
      kind: "rate_limit",
      requestsPerMinute: Math.round((held.requestsPerSecond * 60) / share),
      tokensPerMinute: Math.round((held.tokensPerSecond * 60) / share),
      isGiven: held.isGiven,
    };
  }

  #pace(model: string): ModelPace {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    const { limits, account, concurrency, beginsSlowly } = this.#options;
    const tokens = new PaceTokens();
    const isLimited = limits.requestsPerMinute !== undefined || limits.tokensPerMinute !== undefined;
    const keeper = new PaceKeeper({
      store: this.#store,
      key: `${account}:${model}`,
      requestsPerSecond: (limits.requestsPerMinute ?? 0) / 60,
      tokensPerSecond: (limits.tokensPerMinute ?? 0) / 60,
      startPerSecond: isLimited ? START_PER_SECOND : beginsSlowly ? SLOW_START_PER_SECOND : 0,
      concurrency,
      meanTokens: () => tokens.mean,
      onStoreError: (error) => this.#storeError(error),
    });
    const pace = { keeper, tokens };
    this.#models.set(model, pace);
    return pace;
  }

  #storeError(error: unknown): void {
    if (this.#storeFailed) return;
    this.#storeFailed = true;
    this.#options.log.warn({ error: String(error) }, "The shared pace cannot be read; trying again");
  }
}

interface StartedCall {
  readonly start: Start;
  /** Tokens that it was estimated to use; null: nobody asked. */
  readonly estimate: number | null;
  readonly isProbe: boolean;
}

/** One call's: a class, since there is one for each call. */
class CallPermit implements Permit {
  readonly #pace: ModelPace;
  readonly #breaker: PaceBreaker;
  readonly #start: Start;
  readonly #estimate: number | null;
  readonly #isProbe: boolean;

  constructor(pace: ModelPace, breaker: PaceBreaker, { start, estimate, isProbe }: StartedCall) {
    this.#pace = pace;
    this.#breaker = breaker;
    this.#start = start;
    this.#estimate = estimate;
    this.#isProbe = isProbe;
  }

  succeeded(usage: Usage | null): void {
    this.#answered();
    if (usage !== null) this.#pace.tokens.observe(this.#estimate, usage);
    const tokens = usage === null ? (this.#estimate ?? 0) : usage.inputTokens + usage.outputTokens;
    this.#pace.keeper.ended(this.#start, tokens);
  }

  throttled(error: ProviderError): number {
    this.#answered();
    const retryAfterMs = Math.max(0, error.retryAfterMs ?? 0);
    this.#pace.keeper.refused(this.#start, { cause: throttleCause(error), retryAfterMs });
    const least = Math.max(PACE_RULES.pauseMs, Math.min(retryAfterMs, PACE_RULES.maxRetryAfterMs));
    return Math.ceil(least * (1 + Math.random() / 2));
  }

  failed(error: ProviderError | null): number | null {
    const usage = error?.usage ?? null;
    this.#pace.keeper.ended(this.#start, usage === null ? 0 : usage.inputTokens + usage.outputTokens);
    if (error !== null && isOutage(error)) return this.#breaker.failed(error, this.#isProbe);
    if (error !== null && isAnswer(error)) this.#answered();
    else this.#breaker.left(this.#isProbe);
    return null;
  }

  #answered(): void {
    if (this.#breaker.answered()) this.#pace.keeper.restart();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw signal.reason;
  await new Promise<void>((resolve, reject) => {
    const leaving = {
      abort: (reason: unknown): void => {
        clearTimeout(timer);
        stopListening(signal, leaving);
        reject(reason as Error);
      },
    };
    const timer = setTimeout(() => {
      stopListening(signal, leaving);
      resolve();
    }, ms);
    listenForAbort(signal, leaving);
  });
}
