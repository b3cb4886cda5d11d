/** What a provider's refusal was about: too many requests, too many tokens, or too fast a growth. */
export type ThrottleCause = "requests" | "tokens" | "burst";

/** Calls of one worker process that its store has not heard of. */
export interface SeenCalls {
  /** How long ago they started, milliseconds. */
  readonly ageMs: number;
  /** Negative: calls counted before that were refused, and so were no load. */
  readonly requests: number;
}

export interface ThrottleReport {
  readonly cause: ThrottleCause;
  /** The generation under which the refused call was started: refusals of one burst count once. */
  readonly generation: number;
  /** What the server asked for, bounded; 0 when it named no time. */
  readonly retryAfterMs: number;
}

/** What one worker process tells the store, and asks of it, in one round trip. */
export interface PaceReport {
  /** The run's own limits, per second; 0 for none. Held for a while after the last report. */
  readonly requestsPerSecond: number;
  readonly tokensPerSecond: number;
  /** From how many requests per second a load grows that begins from nothing; 0: no bound. */
  readonly startPerSecond: number;
  readonly seen: readonly SeenCalls[];
  /** True tokens less reserved ones, of calls that ended. */
  readonly settledTokens: number;
  /** Tokens of a usual call, to turn requests into tokens. */
  readonly meanTokens: number;
  readonly throttled: ThrottleReport | null;
  /** Tokens of each call that is to start, in order. */
  readonly wants: readonly number[];
}

export interface PaceReply {
  /** Calls need a reservation here. Otherwise every process may start calls as it likes. */
  readonly controlled: boolean;
  /** Counts throttlings. Reservations of an older generation are void. */
  readonly generation: number;
  /** Milliseconds for which nothing may start; 0 when calls may. */
  readonly coolDownMs: number;
  /** How long the provider has been refusing, milliseconds; 0 when it does not. */
  readonly throttledForMs: number;
  /** Rates in force, per second; 0 for none. */
  readonly requestsPerSecond: number;
  readonly tokensPerSecond: number;
  /** The rates in force are those that the runs ask for, rather than what throttling taught. */
  readonly isGiven: boolean;
  /** Milliseconds from now at which each wanted call may start, ascending. Empty when not controlled. */
  readonly waitsMs: readonly number[];
}

/**
 * The pace of one provider account and model, shared by all who call it.
 *
 * A reservation is a slot in time: taking one moves the next one back, so whoever asks first goes first,
 * nobody asks twice for the same call, and a call larger than a second's tokens takes its slot and makes
 * the others wait.
 */
export interface PaceStore {
  /** `key` names account and model; it holds nothing that gives an API key away. */
  exchange(key: string, report: PaceReport): Promise<PaceReply>;
}
