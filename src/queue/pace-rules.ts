/**
 * Figures of the pace, the same in memory and in Redis.
 *
 * Model Studio enforces limits per minute and, as a sixtieth, per second, punishes fast growth and
 * recovers within about a minute (its rate-limit page, Dec 2025 to Oct 2026). It publishes no figures of the
 * growth it allows; ours stay below a half more each second.
 */
export const PACE_RULES = {
  /** Part of a known limit that is used: calls arrive less evenly than they are sent. */
  headroom: 0.98,
  /** Unused time that may be made up for, milliseconds: a late timer must not cost throughput. */
  creditMs: 100,
  /** How long a run's limit holds after its last report. */
  givenTtlMs: 15_000,
  /** A load that paused longer begins from nothing. */
  idleMs: 10_000,
  /** Growth per second of a load that begins. */
  rampGrowth: 1.25,
  /** Growth per second of a load that recovers from a throttling. */
  recovery: 1.35,
  /** Part of a given limit from which a load that begins grows. */
  rampStart: 1 / 12,
  /** Growth per second after the provider complained of growth. */
  burstGrowth: 1.2,
  /**
   * Part of the calls of the last seconds that may be refused before that means anything: single refusals
   * happen on a busy service, and whoever is above a limit gets more of them.
   */
  stray: 0.005,
  straySeconds: 10,
  /** Part of the level at which calls go on after a throttling, and the pause before; milliseconds. */
  cut: 0.5,
  /** First pause, doubled by each throttling that follows at once. */
  pauseMs: 1_000,
  /**
   * The same for a single throttling at a limit that is known and has held for a while: a second that was
   * fuller than most, not a limit that has changed.
   */
  smallCut: 0.75,
  smallPauseMs: 300,
  heldMs: 10_000,
  maxPauseMs: 30_000,
  maxRetryAfterMs: 60_000,
  /** Throttlings within this time after a pause belong to the same trouble. */
  chainMs: 10_000,
  /** How long a found level is kept before a higher one is tried, seconds; doubled while it proves true. */
  holdSeconds: 30,
  maxHoldSeconds: 600,
  /** A rate above this part of the level counts as the level itself. */
  nearLevel: 0.8,
  /** Least part of a rate that a refusal at it leaves; of one that had held for a while. */
  correction: 0.9,
  smallCorrection: 0.985,
  /** Part of the level that is left when even half of it is refused for longer than a minute. */
  fall: 0.7,
  /**
   * Exponents of the growth beyond a found level, per second and per second squared. Slow, so that a limit
   * per minute shows itself before one per second does; twice the level after 100 s.
   */
  probe: 0.002,
  probeFaster: 0.00005,
  /** A ramp without a limit ends when nobody has had to wait for so long, milliseconds. */
  rampEndMs: 5_000,
  /** Waiting that counts as being held back, milliseconds. */
  bindingMs: 20,
  /** Least level in requests per second: one call in ten seconds. */
  leastLevel: 0.1,
  /** Least requests per second with which a load grows again after a complaint of growth. */
  leastRamp: 1,
  /** Seconds of which the calls are remembered. */
  memorySeconds: 60,
  /** What nobody reports any more is forgotten, milliseconds. */
  forgetMs: 3_600_000,
} as const;
