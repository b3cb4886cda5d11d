import type { PaceReport } from "../../src/queue/pace-store.js";

/** A report that says and asks nothing, but for what a test changes. */
export function paceReport(changes: Partial<PaceReport> = {}): PaceReport {
  return {
    requestsPerSecond: 0,
    tokensPerSecond: 0,
    startPerSecond: 0,
    seen: [],
    settledTokens: 0,
    meanTokens: 500,
    throttled: null,
    wants: [],
    ...changes,
  };
}

/** As many calls as wanted, of that many tokens each. */
export function wants(count: number, tokens = 0): number[] {
  return Array.from({ length: count }, () => tokens);
}
