import type { ProviderError } from "../provider/provider.js";

export interface RetryPolicy {
  /** Bound of the first back-off, milliseconds. */
  readonly baseDelayMs: number;
  /** Bound of every wait, also of one that a server asks for. */
  readonly maxDelayMs: number;
}

export const RETRY_POLICY: RetryPolicy = { baseDelayMs: 1_000, maxDelayMs: 60_000 };

/**
 * Says how long to wait before a row is tried again: full jitter over an exponentially growing bound
 * (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015), in whole milliseconds, at least 1.
 *
 * A wait asked for by the server beats our back-off and is never shortened by jitter, up to `maxDelayMs`,
 * so that one odd header cannot stall a run. `attempt` counts from 1; `random` is in [0, 1).
 */
export function retryDelayMs(
  error: Pick<ProviderError, "retryAfterMs">,
  attempt: number,
  policy: RetryPolicy = RETRY_POLICY,
  random: () => number = Math.random,
): number {
  const bound = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** Math.min(attempt - 1, 30));
  const jittered = Math.ceil(random() * bound);
  if (error.retryAfterMs !== null && error.retryAfterMs >= 0) {
    const spread = Math.ceil(random() * policy.baseDelayMs); // so that all who were told the same do not return at once
    return Math.max(1, Math.min(policy.maxDelayMs, error.retryAfterMs + spread));
  }
  return Math.max(1, jittered);
}
