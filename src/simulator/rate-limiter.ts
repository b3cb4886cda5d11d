import { SlidingWindow } from "./sliding-window.js";

/** Limits per model, as Model Studio pools them per account and model. */
export interface RateLimits {
  /** Also enforced per second, as a sixtieth. */
  readonly requestsPerMinute?: number;
  /** Input and output tokens; also enforced per second, as a sixtieth. */
  readonly tokensPerMinute?: number;
  /** Punish fast growth with `limit_burst_rate`, even below the other limits; true for the defaults. */
  readonly burst?: boolean | BurstRule;
}

/**
 * How fast a model's load may grow: in a second at most `growth` times the most of any of the ten seconds
 * before it, and always `startPerSecond`. The vendor does not publish its own figures.
 */
export interface BurstRule {
  /** @default a tenth of the requests per second that requestsPerMinute allows, at least 5 */
  readonly startPerSecond?: number;
  /** @default 1.5 */
  readonly growth?: number;
}

export type Throttle = "rate_limit" | "token_quota" | "burst_rate";

/** A second may hold this much more than a sixtieth of the minute: arrivals are never quite even. */
const secondTolerance = 1.2;
const burstMemorySeconds = 10;

interface ModelLoad {
  readonly requests: SlidingWindow;
  readonly tokens: SlidingWindow;
}

/** Admits or throttles calls. Throttled calls do not count towards any limit. Time is given, in milliseconds. */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #burst: Required<BurstRule> | null;
  readonly #loads = new Map<string, ModelLoad>();

  constructor(limits: RateLimits) {
    this.#limits = limits;
    const { burst } = limits;
    this.#burst =
      burst === undefined || burst === false
        ? null
        : {
            startPerSecond: Math.max(5, (limits.requestsPerMinute ?? 6_000) / 600),
            growth: 1.5,
            ...(burst === true ? {} : burst),
          };
  }

  /**
   * Says why a call is throttled; null admits and counts it with its input tokens. A call larger than
   * all the tokens of a second or minute is admitted when that window is empty.
   */
  admit(model: string, inputTokens: number, nowMs: number): Throttle | null {
    const load = this.#load(model);
    const throttle = this.#throttle(load, nowMs);
    if (throttle !== null) return throttle;
    load.requests.add(1, nowMs);
    load.tokens.add(inputTokens, nowMs);
    return null;
  }

  /** Counts an answer's tokens. */
  addOutput(model: string, outputTokens: number, nowMs: number): void {
    this.#load(model).tokens.add(outputTokens, nowMs);
  }

  #throttle(load: ModelLoad, nowMs: number): Throttle | null {
    const { requestsPerMinute, tokensPerMinute } = this.#limits;
    if (requestsPerMinute !== undefined) {
      const perSecond = Math.max(1, Math.floor((requestsPerMinute / 60) * secondTolerance));
      if (load.requests.lastMinute(nowMs) >= requestsPerMinute) return "rate_limit";
      if (load.requests.lastSecond(nowMs) >= perSecond) return "rate_limit";
    }
    if (tokensPerMinute !== undefined) {
      if (load.tokens.lastMinute(nowMs) >= tokensPerMinute) return "token_quota";
      if (load.tokens.lastSecond(nowMs) >= (tokensPerMinute / 60) * secondTolerance) return "token_quota";
    }
    if (this.#burst !== null) {
      const before = load.requests.peakSecondBefore(burstMemorySeconds, nowMs);
      const allowed = Math.max(this.#burst.startPerSecond, before * this.#burst.growth);
      if (load.requests.lastSecond(nowMs) >= allowed) return "burst_rate";
    }
    return null;
  }

  #load(model: string): ModelLoad {
    let load = this.#loads.get(model);
    if (load === undefined) {
      load = { requests: new SlidingWindow(), tokens: new SlidingWindow() };
      this.#loads.set(model, load);
    }
    return load;
  }
}
