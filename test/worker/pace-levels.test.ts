import { describe, expect, it } from "vitest";
import type { PaceReport, ThrottleCause } from "../../src/queue/pace-store.js";
import { RateLimiter, type RateLimits, type Throttle } from "../../src/simulator/rate-limiter.js";
import { exchangePace, newPaceState } from "../../src/worker/pace-arithmetic.js";
import { paceReport } from "./pace-reports.js";

const CAUSES: Readonly<Record<Throttle, ThrottleCause>> = {
  rate_limit: "requests",
  token_quota: "tokens",
  burst_rate: "burst",
};
const MEAN_TOKENS = 500;

interface Minute {
  calls: number;
  tokens: number;
  refused: number;
}

/**
 * Calls a model that hides its limits for so many minutes, with always a call waiting, and as much time
 * passing as the slots say. Half a call's tokens are its input.
 */
function callHiddenLimit(limits: RateLimits, minutes: number): { byMinute: Minute[]; holds: number[] } {
  const limiter = new RateLimiter(limits);
  const state = newPaceState();
  const byMinute = Array.from({ length: minutes }, (): Minute => ({ calls: 0, tokens: 0, refused: 0 }));
  const holds: number[] = [];
  let news: Partial<PaceReport> = {};
  let generation = 0;
  for (let now = 0, call = 0; now < minutes * 60_000; call++) {
    const tokens = MEAN_TOKENS + ((call * 7_919) % 400) - 200;
    const reply = exchangePace(
      state,
      paceReport({ ...news, meanTokens: MEAN_TOKENS, wants: [tokens] }),
      1e12 + now,
    );
    if (reply.generation !== generation) holds.push(state.requests.holdSeconds);
    ({ generation } = reply);
    news = {};
    // Before anything is known, twenty calls are under way that take half a second each.
    now += reply.controlled ? (reply.waitsMs[0] ?? 0) : 25;
    const minute = byMinute[Math.min(minutes - 1, Math.floor(now / 60_000))];
    if (minute === undefined) break;
    const throttle = limiter.admit("model", tokens / 2, now);
    const seen = reply.controlled ? [] : [{ ageMs: 0, requests: 1 }];
    if (throttle === null) {
      limiter.addOutput("model", tokens / 2, now);
      minute.calls += 1;
      minute.tokens += tokens;
      if (!reply.controlled) news = { seen };
    } else {
      minute.refused += 1;
      news = {
        seen: [...seen, { ageMs: 0, requests: -1 }],
        settledTokens: reply.tokensPerSecond > 0 ? -tokens : 0,
        throttled: { cause: CAUSES[throttle], generation, retryAfterMs: 0 },
      };
    }
  }
  return { byMinute, holds };
}

function shares(minutes: readonly Minute[], limit: number, what: "calls" | "tokens"): [number, number] {
  const sum = (key: keyof Minute): number => minutes.reduce((total, minute) => total + minute[key], 0);
  return [sum(what) / minutes.length / limit, sum("refused") / (sum("calls") + sum("refused"))];
}

describe("a limit that the provider keeps to itself", () => {
  it.each<[number, boolean]>([
    [120, false],
    [600, false],
    [600, true],
    [1_200, true],
    [2_000, false],
  ])("of %i requests per minute is found and used (growth punished: %s)", (requestsPerMinute, burst) => {
    const { byMinute } = callHiddenLimit({ requestsPerMinute, burst }, 10);
    const [used, refused] = shares(byMinute.slice(4), requestsPerMinute, "calls");
    expect(used).toBeGreaterThan(0.95);
    expect(refused).toBeLessThan(0.01);
  });

  it.each<[number, boolean]>([
    [100_000, false],
    [300_000, true],
    [1_000_000, false],
  ])("of %i tokens per minute is found and used (growth punished: %s)", (tokensPerMinute, burst) => {
    const { byMinute } = callHiddenLimit({ tokensPerMinute, burst }, 10);
    const [used, refused] = shares(byMinute.slice(4), tokensPerMinute, "tokens");
    expect(used).toBeGreaterThan(0.95);
    expect(refused).toBeLessThan(0.01);
  });

  it("is tested less and less often", () => {
    const { holds } = callHiddenLimit({ requestsPerMinute: 1_200 }, 40);
    expect(holds.slice(-2)).toEqual([600, 600]);
  });
});
