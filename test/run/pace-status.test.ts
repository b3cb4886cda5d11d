import { describe, expect, it } from "vitest";
import { heldBackBy, type RunLoad } from "../../src/run/held-back.js";
import { stallError, withOutages } from "../../src/run/stall-guard.js";
import type { WorkerAbout } from "../../src/fleet/worker-about.js";
import type { PaceStatus } from "../../src/worker/pacer.js";

const busy: RunLoad = {
  holder: null,
  waitsForBudget: false,
  callsModel: true,
  remote: null,
  inFlight: 32,
  concurrency: 32,
  onQueue: 2_000,
  isProduced: false,
};
const given = { kind: "rate_limit", requestsPerMinute: 600, tokensPerMinute: 0, isGiven: true } as const;
const down = { kind: "endpoint_down", code: "connection_refused", probeInMs: 7_400 } as const;

describe("what holds a run back", () => {
  it.each<[string, Partial<RunLoad>, string | null]>([
    ["as many calls as allowed", {}, "concurrency (32)"],
    ["a limit of the job", { holder: given }, "the rate limit (600 requests/min)"],
    [
      "a limit that throttling showed",
      { holder: { ...given, requestsPerMinute: 0, tokensPerMinute: 99_000, isGiven: false } },
      "the provider's rate limit (about 99000 tokens/min)",
    ],
    ["a cool-down", { holder: { kind: "throttled", forMs: 2_100 } }, "throttling by the provider, 3 s more"],
    [
      "an endpoint that is away",
      { holder: down },
      "a model server that is down (connection_refused), next try in 8 s",
    ],
    ["money", { waitsForBudget: true }, "the budget: calls wait until others have cost less than they could"],
    ["an input that comes slowly", { inFlight: 3, onQueue: 3 }, "the input"],
    ["a queue that gives rows out slowly", { inFlight: 3 }, "the queue"],
    ["the last rows", { inFlight: 3, onQueue: 3, isProduced: true }, null],
    [
      "nobody to call",
      { callsModel: false, inFlight: 0, remote: { serving: 0, refusals: [] } },
      "workers: none is there",
    ],
    [
      "only workers that cannot",
      { callsModel: false, inFlight: 0, remote: { serving: 0, refusals: ["no API key"] } },
      "workers: none can serve this run (no API key)",
    ],
  ])("names %s", (_what, changes, expected) => {
    expect(heldBackBy({ ...busy, ...changes })).toBe(expected);
  });
});

function workerWith(changes: Partial<WorkerAbout>): WorkerAbout {
  return { refusal: null, process: null, ...changes };
}

const well: PaceStatus = { holder: null, throttledForMs: 0, downForMs: 0, wasAnswered: true };
const HOUR = 3_600_000;

describe("a run without progress", () => {
  it("goes on while nothing keeps it from calling", () => {
    expect(stallError(well, 5 * HOUR, HOUR)).toBeNull();
  });

  it("ends when it has been throttled for as long as the job allows", () => {
    expect(stallError({ ...well, throttledForMs: HOUR }, HOUR - 1, HOUR)).toBeNull();
    expect(stallError({ ...well, throttledForMs: HOUR }, HOUR, HOUR)).toMatchObject({
      code: "throttled_too_long",
      exitCode: 4,
    });
  });

  it("ends when the model server has been away for as long", () => {
    const status = { ...well, holder: down, downForMs: HOUR };
    expect(stallError(status, HOUR, HOUR)).toMatchObject({ code: "endpoint_down", exitCode: 4 });
    expect(stallError({ ...status, downForMs: HOUR - 1 }, HOUR, HOUR)).toBeNull();
  });

  it("ends sooner when that server has never answered", () => {
    const status = { ...well, wasAnswered: false, holder: down, downForMs: 120_000 };
    expect(stallError(status, 120_000, HOUR)?.message).toContain("has not answered a single call");
    expect(stallError({ ...status, downForMs: 60_000 }, 60_000, HOUR)).toBeNull();
  });

  it("has lost its model server when every worker that serves it has", () => {
    const outage = { code: "host_not_found", forMs: HOUR, probeInMs: 5_000, wasAnswered: true };
    const away = workerWith({ outage });
    const other = workerWith({ outage: { ...outage, forMs: 60_000 } });
    expect(withOutages(well, [away, workerWith({})])).toEqual(well);
    expect(withOutages(well, [])).toEqual(well);
    const all = withOutages(well, [away, other, workerWith({ refusal: "no key" })]);
    expect(all).toMatchObject({
      holder: { kind: "endpoint_down", code: "host_not_found" },
      downForMs: 60_000,
    });
  });
});
