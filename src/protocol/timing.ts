/** Times that coordinator and workers agree on, milliseconds. */
export interface Timing {
  /** Between two signs of life. */
  readonly heartbeatMs: number;
  /** So long without one, seen by a coordinator that was awake all the while, and a worker is dead. */
  readonly deadMs: number;
  /** So long without a look at the run lock, and a coordinator starts nothing. Less than what makes the lock stale. */
  readonly lockMs: number;
  /** After so long a call has ended, whatever became of its worker. */
  readonly callMs: number;
  /** A start that was granted is sent within this, or withdrawn. */
  readonly sendMs: number;
  /** Before a server that did not answer is asked again. */
  readonly retryMs: number;
  /** Before a lease that nobody says he has is looked for. */
  readonly claimMs: number;
}

export function timing(callTimeoutMs: number): Timing {
  return {
    heartbeatMs: 1_000,
    deadMs: 25_000,
    lockMs: 45_000,
    callMs: callTimeoutMs,
    sendMs: 5_000,
    retryMs: 500,
    claimMs: 10_000,
  };
}
