import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { retryDelayMs, RETRY_POLICY } from "../../src/worker/retry.js";

const policy = { baseDelayMs: 1_000, maxDelayMs: 60_000 };
const last = 1 - Number.EPSILON;

describe("The wait before another attempt", () => {
  it.each([
    { attempt: 1, bound: 1_000 },
    { attempt: 2, bound: 2_000 },
    { attempt: 3, bound: 4_000 },
    { attempt: 6, bound: 32_000 },
    { attempt: 7, bound: 60_000 },
    { attempt: 2_000, bound: 60_000 },
  ])("is drawn from up to $bound ms before attempt $attempt is repeated", ({ attempt, bound }) => {
    const error = { retryAfterMs: null };
    expect(retryDelayMs(error, attempt, policy, () => 0)).toBe(1);
    expect(retryDelayMs(error, attempt, policy, () => 0.5)).toBe(bound / 2);
    expect(retryDelayMs(error, attempt, policy, () => last)).toBe(bound);
  });

  it.each([
    { retryAfterMs: 0, least: 1, most: 1_000 },
    { retryAfterMs: 5_000, least: 5_000, most: 6_000 },
    { retryAfterMs: 59_900, least: 59_900, most: 60_000 },
    { retryAfterMs: 86_400_000, least: 60_000, most: 60_000 },
  ])("is what the server asked for ($retryAfterMs ms), a little spread and bounded", (wish) => {
    expect(retryDelayMs(wish, 1, policy, () => 0)).toBe(wish.least);
    expect(retryDelayMs(wish, 1, policy, () => last)).toBe(wish.most);
  });

  it("is always whole, at least 1 ms and at most the policy's bound, and never shorter than asked for", () => {
    const wish = fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }));
    const draw = fc.double({ min: 0, max: last, noNaN: true });
    fc.assert(
      fc.property(wish, fc.integer({ min: 1, max: 10_000 }), draw, (retryAfterMs, attempt, random) => {
        const wait = retryDelayMs({ retryAfterMs }, attempt, RETRY_POLICY, () => random);
        expect(wait).toBeGreaterThanOrEqual(1);
        expect(wait).toBeLessThanOrEqual(RETRY_POLICY.maxDelayMs);
        if (retryAfterMs !== null) {
          expect(wait).toBeGreaterThanOrEqual(Math.min(retryAfterMs, RETRY_POLICY.maxDelayMs));
        } else expect(Number.isInteger(wait)).toBe(true);
      }),
    );
  });
});
