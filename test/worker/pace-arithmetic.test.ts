import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PACE_RULES } from "../../src/queue/pace-rules.js";
import type { PaceReport } from "../../src/queue/pace-store.js";
import { exchangePace, newPaceState, type PaceState } from "../../src/worker/pace-arithmetic.js";
import { paceReport, wants } from "./pace-reports.js";

const START = 1_700_000_000_000;

/** When calls start that ask for slots as fast as they get them, over `ms` from `from`. */
function slotsOf(state: PaceState, report: PaceReport, from: number, ms: number): number[] {
  const slots: number[] = [];
  for (let now = from; now < from + ms;) {
    const { waitsMs } = exchangePace(state, { ...report, wants: report.wants.slice(0, 1) }, now);
    const wait = waitsMs[0] ?? 0;
    slots.push(now + wait);
    now += Math.max(wait, 1);
  }
  return slots.filter((slot) => slot < from + ms);
}

function mostInWindow(slots: readonly number[], windowMs: number): number {
  let most = 0;
  for (let first = 0, last = 0; last < slots.length; last++) {
    while ((slots[last] ?? 0) - (slots[first] ?? 0) >= windowMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

describe("given limits", () => {
  it.each([30, 60, 600, 6_000, 60_000])("keeps %i requests per minute, also in every second", (perMinute) => {
    const slots = slotsOf(
      newPaceState(),
      paceReport({ requestsPerSecond: perMinute / 60, wants: wants(1) }),
      START,
      180_000,
    );
    expect(mostInWindow(slots, 60_000)).toBeLessThanOrEqual(perMinute);
    expect(mostInWindow(slots, 1_000)).toBeLessThanOrEqual(Math.max(1, (perMinute / 60) * 1.1));
    expect(slots.filter((slot) => slot >= START + 60_000).length / 2).toBeGreaterThan(perMinute * 0.95);
  });

  it("keeps tokens per minute over calls of any size", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 300, maxLength: 300 }), (costs) => {
        const state = newPaceState();
        const report = paceReport({ tokensPerSecond: 1_000 });
        const { waitsMs } = exchangePace(state, { ...report, wants: costs }, START);
        const last = waitsMs.at(-1) ?? 0;
        const used = costs.slice(0, -1).reduce((sum, cost) => sum + cost, 0);
        expect(used / (last / 1000 + PACE_RULES.creditMs / 1000 + 0.002)).toBeLessThanOrEqual(1_000);
        expect(used / (last / 1000 + PACE_RULES.creditMs / 1000)).toBeGreaterThan(950);
      }),
    );
  });

  it("lets a call larger than a minute's tokens through alone and makes the next one wait for it", () => {
    const state = newPaceState();
    const { waitsMs } = exchangePace(state, paceReport({ tokensPerSecond: 100, wants: [30_000, 10] }), START);
    expect(waitsMs[0]).toBe(0);
    expect(waitsMs[1]).toBeGreaterThan(300_000);
  });

  it("gives back what a call did not use, and takes what it used beyond its estimate", () => {
    const state = newPaceState();
    const report = paceReport({ tokensPerSecond: 100 });
    exchangePace(state, { ...report, wants: [1_000] }, START);
    const refunded = exchangePace(state, { ...report, settledTokens: -980, wants: [10] }, START);
    expect(refunded.waitsMs[0]).toBeLessThan(1_000);
    const charged = exchangePace(state, { ...report, settledTokens: 5_000, wants: [10] }, START);
    expect(charged.waitsMs[0]).toBeGreaterThan(49_000);
  });

  it("takes the lower of two runs' limits, and the higher one when the lower is no longer reported", () => {
    const state = newPaceState();
    const low = paceReport({ requestsPerSecond: 2 });
    const high = paceReport({ requestsPerSecond: 10 });
    exchangePace(state, low, START);
    expect(exchangePace(state, high, START + 1_000).requestsPerSecond).toBeCloseTo(1.96);
    const later = START + 1_000 + PACE_RULES.givenTtlMs;
    expect(exchangePace(state, high, later).requestsPerSecond).toBeCloseTo(9.8);
  });

  it("holds for runs that give no limits", () => {
    const state = newPaceState();
    exchangePace(state, paceReport({ requestsPerSecond: 2 }), START);
    const reply = exchangePace(state, paceReport({ wants: wants(3) }), START + 10);
    expect(reply.controlled).toBe(true);
    expect(reply.waitsMs[2]).toBeGreaterThan(1_000);
  });

  it("begins with a part of a high limit and grows no faster than the rules say", () => {
    const state = newPaceState();
    const report = paceReport({ requestsPerSecond: 100, startPerSecond: 3, wants: wants(1) });
    const slots = slotsOf(state, report, START, 12_000);
    const perSecond = Array.from(
      { length: 12 },
      (_, second) => slots.filter((slot) => Math.floor((slot - START) / 1000) === second).length,
    );
    expect(perSecond[0]).toBeLessThanOrEqual(10);
    for (let second = 1; second < 12; second++) {
      expect(perSecond[second]).toBeLessThanOrEqual((perSecond[second - 1] ?? 0) * 1.5 + 1);
    }
    expect(perSecond[11]).toBeGreaterThan(95);
  });
});

describe("without limits", () => {
  it("needs no reservations before the provider refuses something", () => {
    const reply = exchangePace(newPaceState(), paceReport({ wants: wants(100) }), START);
    expect(reply).toMatchObject({ controlled: false, waitsMs: [] });
  });

  it("pauses everybody after a throttling and goes on at half of what was admitted", () => {
    const state = newPaceState();
    exchangePace(state, paceReport({ seen: [{ ageMs: 0, requests: 50 }] }), START);
    const refusal = paceReport({
      seen: [{ ageMs: 500, requests: -10 }],
      throttled: { cause: "requests", generation: 0, retryAfterMs: 0 },
      wants: wants(1),
    });
    const reply = exchangePace(state, refusal, START + 500);
    expect(reply.generation).toBe(1);
    expect(reply.coolDownMs).toBe(PACE_RULES.pauseMs);
    expect(reply.waitsMs[0]).toBe(PACE_RULES.pauseMs);
    const after = exchangePace(state, paceReport(), START + 500 + PACE_RULES.pauseMs);
    expect(after.requestsPerSecond).toBeCloseTo(20);
    const recovered = exchangePace(state, paceReport(), START + 10_000);
    expect(recovered.requestsPerSecond).toBeCloseTo(39.2);
  });

  it("counts the refusals of one burst once, and measures by all of them", () => {
    const state = newPaceState();
    exchangePace(state, paceReport({ seen: [{ ageMs: 0, requests: 200 }] }), START);
    for (let refused = 0; refused < 188; refused++) {
      const throttled = { cause: "requests", generation: 0, retryAfterMs: 0 } as const;
      exchangePace(state, paceReport({ seen: [{ ageMs: 10, requests: -1 }], throttled }), START + 10);
    }
    expect(state.generation).toBe(1);
    expect(state.requests.level).toBe(12);
  });

  it("waits as long as the server asks, within a minute", () => {
    const ask = (retryAfterMs: number): number =>
      exchangePace(
        newPaceState(),
        paceReport({ throttled: { cause: "requests", generation: 0, retryAfterMs } }),
        START,
      ).coolDownMs;
    expect(ask(7_000)).toBe(7_000);
    expect(ask(86_400_000)).toBe(PACE_RULES.maxRetryAfterMs);
    expect(ask(10)).toBe(PACE_RULES.pauseMs);
  });

  it("takes the last minute's mean for the limit when half the level is refused as well", () => {
    const state = newPaceState();
    for (let second = 0; second < 52; second++)
      exchangePace(state, paceReport({ seen: [{ ageMs: 0, requests: 12 }] }), START + second * 1_000);
    let now = START + 52_000;
    for (let strike = 0; strike < 4; strike++) {
      const throttled = { cause: "requests", generation: state.generation, retryAfterMs: 0 } as const;
      const reply = exchangePace(state, paceReport({ throttled }), now);
      now += reply.coolDownMs + 100;
    }
    expect(state.requests.level).toBeGreaterThan(9);
    expect(state.requests.level).toBeLessThan(10.8);
  });

  it("does not let a level grow that holds nobody back", () => {
    const state = newPaceState();
    exchangePace(state, paceReport({ seen: [{ ageMs: 0, requests: 10 }] }), START);
    exchangePace(
      state,
      paceReport({ throttled: { cause: "requests", generation: 0, retryAfterMs: 0 } }),
      START + 1,
    );
    let rate = 0;
    for (let second = 10; second < 300; second++) {
      rate = exchangePace(state, paceReport({ wants: wants(1) }), START + second * 1_000).requestsPerSecond;
    }
    expect(rate).toBeLessThan(10);
  });

  it("slows tokens down when tokens were the trouble", () => {
    const state = newPaceState();
    exchangePace(state, paceReport({ seen: [{ ageMs: 0, requests: 20 }] }), START);
    const throttled = { cause: "tokens", generation: 0, retryAfterMs: 0 } as const;
    exchangePace(state, paceReport({ throttled, meanTokens: 400 }), START + 10);
    const reply = exchangePace(state, paceReport(), START + 10_000);
    expect(reply.requestsPerSecond).toBe(0);
    expect(reply.tokensPerSecond).toBeCloseTo(8_000 * PACE_RULES.headroom);
  });
});
