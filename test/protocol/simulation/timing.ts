import type { Timing } from "../../../src/protocol/timing.js";

/** The program's times, a few milliseconds each. Their order is what matters: see src/protocol/timing.ts. */
export function simTiming(callMs: number): Timing {
  return { heartbeatMs: 8, deadMs: 50, lockMs: 40, callMs, sendMs: 6, retryMs: 2, claimMs: 30 };
}

/** The run lock of a holder that cannot be asked counts as free after so long. */
export const STALE_MS = 60;
/** How long calls under way may take when a run stops early. */
export const GRACE_MS = 20;
/** How long a server may take to be told that a run has ended. */
export const TELL_MS = 15;
/** What a server that loses its last second still has is as old as this, at most. */
export const SAVED_EVERY_MS = 8;
/** A run that has not ended so long after its last fault never will. */
export const HORIZON_MS = 3_000;
/** Steps of all processes together, in that time: far more than a run that gets on needs. */
export const MOST_STEPS = 60_000;
