import { HaltError } from "../errors.js";
import type { WorkerAbout } from "../fleet/worker-about.js";
import type { PaceStatus } from "../worker/pacer.js";

/** A model server that has never answered this run is more likely misnamed than away for a moment. */
const NEVER_ANSWERED_MS = 120_000;
const LOOK_MS = 1_000;

export interface StallGuardOptions {
  /** Milliseconds without progress, all calls throttled or none reaching the server. */
  readonly maxThrottledMs: number;
  readonly status: () => PaceStatus;
  /** Rows settled so far. */
  readonly settled: () => number;
  readonly halt: (error: HaltError) => void;
}

/** Ends a run that can do nothing but wait: throttled, or without a model server, for too long. */
export function guardAgainstStall(options: StallGuardOptions): { close(): void } {
  const startedAt = performance.now();
  let settled = options.settled();
  let progressAt = startedAt;
  const look = (): void => {
    const now = performance.now();
    if (options.settled() !== settled) {
      settled = options.settled();
      progressAt = now;
    }
    const error = stallError(options.status(), now - progressAt, options.maxThrottledMs);
    if (error !== null) options.halt(error);
  };
  const timer = setInterval(look, Math.min(LOOK_MS, Math.max(50, options.maxThrottledMs / 4)));
  return { close: () => clearInterval(timer) };
}

/** The pace of a run that only other processes call for: its model server is down when it is for all of them. */
export function withOutages(status: PaceStatus, reports: readonly WorkerAbout[]): PaceStatus {
  const serving = reports.filter(({ refusal }) => refusal === null);
  const outages = serving.flatMap(({ outage }) => outage ?? []);
  const [first] = outages;
  if (first === undefined || outages.length < serving.length) return status;
  return {
    ...status,
    holder: {
      kind: "endpoint_down",
      code: first.code,
      probeInMs: Math.min(...outages.map(({ probeInMs }) => probeInMs)),
    },
    downForMs: Math.min(...outages.map(({ forMs }) => forMs)),
    wasAnswered: outages.some(({ wasAnswered }) => wasAnswered),
  };
}

/** Why a run without progress for `idleMs` must end; null when it may go on. */
export function stallError(status: PaceStatus, idleMs: number, maxThrottledMs: number): HaltError | null {
  if (Math.min(idleMs, status.throttledForMs) >= maxThrottledMs) {
    return new HaltError(
      `The provider has throttled every call for ${minutes(maxThrottledMs)}; no row was settled meanwhile.`,
      {
        code: "throttled_too_long",
        hint: "Resume the run later, with a lower limits.requestsPerMinute or tokensPerMinute, or once the account's quota is raised.",
      },
    );
  }
  const isKnown = status.wasAnswered || status.holder?.kind !== "endpoint_down";
  const maxDownMs = isKnown ? maxThrottledMs : Math.min(maxThrottledMs, NEVER_ANSWERED_MS);
  if (Math.min(idleMs, status.downForMs) < maxDownMs) return null;
  const code = status.holder?.kind === "endpoint_down" ? status.holder.code : "no answer";
  return new HaltError(
    isKnown
      ? `The model server has been failing for ${minutes(maxDownMs)} (${code}); no row was settled meanwhile.`
      : `The model server has not answered a single call for ${minutes(maxDownMs)} (${code}).`,
    {
      code: "endpoint_down",
      hint: "Check that the model server runs and that the provider's URL is right, then resume the run.",
    },
  );
}

function minutes(ms: number): string {
  return ms < 90_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
