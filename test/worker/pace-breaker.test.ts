import { describe, expect, it } from "vitest";
import { ProviderError, type ProviderErrorOptions } from "../../src/provider/provider.js";
import { isOutage, PaceBreaker } from "../../src/worker/pace-breaker.js";

function failure(changes: Partial<ProviderErrorOptions> = {}): ProviderError {
  return new ProviderError("down", {
    disposition: "retryable",
    kind: "network",
    code: "connection_refused",
    ...changes,
  });
}

const serverError = failure({ kind: "server", httpStatus: 503, code: "ServiceUnavailable" });

function openBreaker(concurrency = 10): { breaker: PaceBreaker; later: (ms: number) => void } {
  let now = 0;
  const breaker = new PaceBreaker(concurrency, () => now);
  while (!breaker.isOpen) breaker.failed(failure(), false);
  return {
    breaker,
    later: (ms) => {
      now += ms;
    },
  };
}

describe("a breaker", () => {
  it.each([
    [1, 10],
    [32, 32],
    [1_000, 100],
  ])("with %i calls at once opens after %i failures in a row, which all count", (concurrency, failures) => {
    const breaker = new PaceBreaker(concurrency, () => 0);
    for (let failed = 1; failed <= failures; failed++) {
      expect(breaker.enter()).toBe("call");
      expect(breaker.failed(failure(), false)).toBeNull();
    }
    expect(breaker.isOpen).toBe(true);
  });

  it("stays closed as long as some calls are answered", () => {
    const breaker = new PaceBreaker(10, () => 0);
    for (let failed = 0; failed < 500; failed++) {
      breaker.failed(serverError, false);
      if (failed % 9 === 8) breaker.answered();
    }
    expect(breaker.isOpen).toBe(false);
  });

  it("does not count what was under way when it opened", () => {
    const { breaker } = openBreaker();
    expect(breaker.failed(failure(), false)).toBeGreaterThan(0);
    expect(breaker.failed(serverError, false)).toBeGreaterThan(0);
  });

  it("lets one probe through after a pause, and waits twice as long after each that fails", () => {
    const { breaker, later } = openBreaker();
    const pauses: number[] = [];
    for (let probe = 0; probe < 7; probe++) {
      const pause = breaker.enter();
      if (typeof pause !== "number") throw new Error("no pause");
      pauses.push(pause);
      later(pause);
      expect(breaker.enter()).toBe("probe");
      expect(breaker.enter()).toBeTypeOf("number");
      breaker.failed(failure(), true);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("closes when a probe is answered", () => {
    const { breaker, later } = openBreaker();
    later(1_000);
    expect(breaker.enter()).toBe("probe");
    expect(breaker.answered()).toBe(true);
    expect(breaker.enter()).toBe("call");
    expect(breaker.downForMs).toBe(0);
  });

  it("gives the probe to the next one when its row is called back", () => {
    const { breaker, later } = openBreaker();
    later(1_000);
    expect(breaker.enter()).toBe("probe");
    breaker.left(true);
    expect(breaker.enter()).toBe("probe");
  });

  it("counts a probe's attempt when the server answered it with an error, not when nothing was there", () => {
    const { breaker, later } = openBreaker();
    later(1_000);
    breaker.enter();
    expect(breaker.failed(serverError, true)).toBeNull();
    later(2_000);
    breaker.enter();
    expect(breaker.failed(failure(), true)).toBeGreaterThan(0);
  });

  it("takes only 5xx and lost connections for an outage", () => {
    expect(isOutage(failure())).toBe(true);
    expect(isOutage(serverError)).toBe(true);
    expect(isOutage(failure({ kind: "timeout", code: "timeout" }))).toBe(false);
    expect(isOutage(failure({ kind: "bad_response", httpStatus: 200 }))).toBe(false);
    expect(isOutage(failure({ disposition: "row", kind: "server", httpStatus: 500 }))).toBe(false);
  });
});
