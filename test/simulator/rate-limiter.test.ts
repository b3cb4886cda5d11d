import { describe, expect, it } from "vitest";

import { RateLimiter } from "../../src/simulator/rate-limiter.js";
import { SlidingWindow } from "../../src/simulator/sliding-window.js";
import { asking, askingNatively, at, paths, post, simulate } from "./calling.js";

/** Offers calls at an even rate for some seconds; returns how many were admitted, and why others were not. */
function offer(limiter: RateLimiter, perSecond: number, seconds: number, startMs = 0, tokens = 0) {
  let admitted = 0;
  const throttled = new Set<string>();
  for (let call = 0; call < perSecond * seconds; call++) {
    const throttle = limiter.admit("m", tokens, startMs + (call * 1_000) / perSecond);
    if (throttle === null) admitted++;
    else throttled.add(throttle);
  }
  return { admitted, throttled: [...throttled] };
}

describe("a sliding window", () => {
  it("forgets what is older than a second and a minute", () => {
    const window = new SlidingWindow();
    window.add(5, 0);
    window.add(3, 950);
    expect(window.lastSecond(999)).toBe(8);
    expect(window.lastSecond(1_050)).toBe(3);
    expect(window.lastMinute(59_900)).toBe(8);
    expect(window.lastMinute(60_100)).toBe(3);
    expect(window.lastMinute(10_000_000)).toBe(0);
  });

  it("knows the fullest of the seconds before", () => {
    const window = new SlidingWindow();
    for (const [second, amount] of [4, 9, 2].entries()) window.add(amount, second * 1_000);
    expect(window.peakSecondBefore(10, 3_000)).toBe(9);
  });
});

describe("rate limits", () => {
  it("admit an even rate at the limit whole", () => {
    expect(offer(new RateLimiter({ requestsPerMinute: 600 }), 10, 60)).toEqual({
      admitted: 600,
      throttled: [],
    });
  });

  it("refuse a burst although the minute would hold it", () => {
    const limiter = new RateLimiter({ requestsPerMinute: 600 });
    const { admitted, throttled } = offer(limiter, 10_000, 0.01);
    expect(admitted).toBe(12);
    expect(throttled).toEqual(["rate_limit"]);
  });

  it("hold over the minute what the second lets through", () => {
    expect(offer(new RateLimiter({ requestsPerMinute: 600 }), 11, 60).admitted).toBe(600);
  });

  it("count tokens of input and output, and let a call larger than a second through alone", () => {
    const limiter = new RateLimiter({ tokensPerMinute: 6_000 });
    expect(limiter.admit("m", 500, 0)).toBeNull();
    expect(limiter.admit("m", 1, 10)).toBe("token_quota");
    expect(limiter.admit("m", 1, 1_200)).toBeNull();
    limiter.addOutput("m", 5_600, 1_300);
    expect(limiter.admit("m", 1, 3_000)).toBe("token_quota");
    expect(limiter.admit("m", 1, 70_000)).toBeNull();
  });

  it("are kept apart by model", () => {
    const limiter = new RateLimiter({ requestsPerMinute: 60 });
    expect(limiter.admit("one", 0, 0)).toBeNull();
    expect(limiter.admit("one", 0, 0)).toBe("rate_limit");
    expect(limiter.admit("two", 0, 0)).toBeNull();
  });

  it("punish fast growth and allow slow growth", () => {
    const burst = { startPerSecond: 10, growth: 1.5 };
    const sudden = new RateLimiter({ burst });
    offer(sudden, 10, 5);
    expect(offer(sudden, 100, 1, 5_000).throttled).toEqual(["burst_rate"]);
    const slow = new RateLimiter({ burst });
    let rate = 8;
    for (let second = 0; second < 12; second++, rate = Math.floor(rate * 1.3)) {
      expect(offer(slow, rate, 1, second * 1_000).throttled).toEqual([]);
    }
  });

  it("let a call wait for a burst to pass, when it says how long it can", async () => {
    const limits = { burst: { startPerSecond: 1, growth: 1 } };
    const simulator = await simulate({ limits });
    const ask = (seconds: string) =>
      post(simulator, paths.openai, asking("one"), { "x-dashscope-wait-timeout": seconds });
    const burst = await Promise.all(["2", "2", "121", "soon"].map(ask));
    const refused = burst.filter(({ status }) => status === 429);
    expect(refused.map(({ body }) => at(body, "error", "code"))).toContain("limit_burst_rate");
    expect((await ask("60")).status).toBe(200);
    expect(simulator.calls()).toMatchObject({ answered: 5 - refused.length });
  });

  it("answer with the vendor's codes by both protocols, and Retry-After when told to", async () => {
    const simulator = await simulate({ limits: { requestsPerMinute: 60 }, retryAfterSeconds: 2 });
    expect((await post(simulator, paths.openai, asking("one"))).status).toBe(200);
    const compatible = await post(simulator, paths.openai, asking("two"));
    expect([
      compatible.status,
      at(compatible.body, "error", "code"),
      compatible.headers.get("retry-after"),
    ]).toEqual([429, "limit_requests", "2"]);
    const native = await post(simulator, paths.text, askingNatively("two"));
    expect([native.status, at(native.body, "code")]).toEqual([429, "Throttling.RateQuota"]);
    expect(simulator.calls()).toMatchObject({
      answered: 1,
      rejected: { limit_requests: 1, "Throttling.RateQuota": 1 },
    });
  });
});
