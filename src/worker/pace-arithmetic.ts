import { PACE_RULES as RULES } from "../queue/pace-rules.js";
import type { PaceReply, PaceReport, ThrottleReport } from "../queue/pace-store.js";

/** Requests or tokens: what is known of their limit, and how far slots are taken. Times in milliseconds. */
interface Dimension {
  /** The next slot in time: everything before is taken. */
  tail: number;
  /** The lowest limit that a run gives, per second; 0 for none. */
  given: number;
  givenUntil: number;
  /**
   * - none: nothing was learned
   * - level: the provider refused; its limit is about `level`
   * - ramp: growing from `level`
   */
  mode: "none" | "level" | "ramp";
  level: number;
  /** When the level was found or the ramp began: the end of the pause before it. */
  from: number;
  holdSeconds: number;
  growth: number;
  /** Part of the level at which calls went on. */
  cut: number;
  /** When somebody last had to wait for it. */
  boundAt: number;
}

/** The pace of one account and model. Mirrored by the script in `queue/pace-script.ts`. */
export interface PaceState {
  generation: number;
  coolUntil: number;
  /** Throttlings in a row. */
  strikes: number;
  /** When the first of them came. */
  chainFrom: number;
  /**
   * Of the last throttling: when, about what, the rate that was in force (0: none), and whether the level
   * was then measured by the calls of its second.
   */
  event: { at: number; cause: ThrottleReport["cause"]; rate: number; isMeasured: boolean };
  /** Refusals lately, an older one counting less, and when that was reckoned. */
  refused: { score: number; at: number };
  /** When the present load began. */
  activeFrom: number;
  lastAt: number;
  readonly requests: Dimension;
  readonly tokens: Dimension;
  /** Calls admitted by second of the clock. */
  readonly seen: Map<number, number>;
}

export function newPaceState(): PaceState {
  return {
    generation: 0,
    coolUntil: 0,
    strikes: 0,
    chainFrom: 0,
    event: { at: 0, cause: "requests", rate: 0, isMeasured: false },
    refused: { score: 0, at: 0 },
    activeFrom: 0,
    lastAt: 0,
    requests: newDimension(),
    tokens: newDimension(),
    seen: new Map(),
  };
}

function newDimension(): Dimension {
  return {
    tail: 0,
    given: 0,
    givenUntil: 0,
    mode: "none",
    level: 0,
    from: 0,
    holdSeconds: 0,
    growth: 0,
    cut: 0,
    boundAt: 0,
  };
}

/** Takes one report in and answers it. `now`: milliseconds of a clock that all who share the state read. */
export function exchangePace(state: PaceState, report: PaceReport, now: number): PaceReply {
  const { requests, tokens } = state;
  if (now - state.lastAt > RULES.memorySeconds * 1000) state.activeFrom = now;
  giveLimit(requests, report.requestsPerSecond, now);
  giveLimit(tokens, report.tokensPerSecond, now);
  for (const { ageMs, requests: count } of report.seen) note(state, now - ageMs, count);
  const isStray = report.throttled !== null && isStrayRefusal(state, report, now);
  if (report.throttled !== null && !isStray) throttle(state, report.throttled, report.meanTokens, now);
  else if (report.seen.length > 0) measureAgain(state, report.meanTokens, now);
  const isBeginning = now - state.lastAt > RULES.idleMs && report.wants.length > 0;
  if (isBeginning) startRamp(requests, report.startPerSecond, now);
  endRamp(requests, now);
  freezeProbe(requests, state.lastAt, now);
  freezeProbe(tokens, state.lastAt, now);
  const requestRate = rateOf(requests, now);
  const tokenRate = rateOf(tokens, now);
  if (tokenRate > 0) tokens.tail += (report.settledTokens * 1000) / tokenRate;
  if (report.wants.length > 0 || report.seen.length > 0) state.lastAt = now;
  forgetOld(state, now);
  const controlled = requestRate > 0 || tokenRate > 0 || state.coolUntil > now;
  return {
    controlled,
    generation: state.generation,
    coolDownMs: Math.max(0, Math.ceil(state.coolUntil - now)),
    throttledForMs:
      state.strikes > 0 && now < state.coolUntil + RULES.chainMs
        ? Math.max(1, Math.floor(now - state.chainFrom))
        : 0,
    requestsPerSecond: requestRate,
    tokensPerSecond: tokenRate,
    isGiven: isGiven(requests, requestRate, now) || isGiven(tokens, tokenRate, now),
    waitsMs: controlled ? report.wants.map((cost) => reserve(state, cost, requestRate, tokenRate, now)) : [],
  };
}

/** The rate in force, per second; 0 for none. */
export function rateOf(dimension: Readonly<Dimension>, now: number): number {
  const given = dimension.givenUntil > now ? dimension.given * RULES.headroom : 0;
  if (dimension.mode === "none") return given;
  const learned = learnedRate(dimension, Math.max(0, now - dimension.from) / 1000);
  return given > 0 ? Math.min(given, learned) : learned;
}

function learnedRate(
  { mode, level, growth, cut, holdSeconds }: Readonly<Dimension>,
  seconds: number,
): number {
  if (mode === "ramp") return level * growth ** Math.min(seconds, 100);
  const recovered = level * cut * growth ** Math.min(seconds, 100);
  const probing = Math.min(Math.max(0, seconds - holdSeconds), 300);
  const beyond = Math.exp(RULES.probe * probing + RULES.probeFaster * probing * probing);
  return Math.min(recovered, level * RULES.headroom * beyond);
}

function giveLimit(dimension: Dimension, perSecond: number, now: number): void {
  if (perSecond <= 0) return;
  if (dimension.givenUntil > now && dimension.given < perSecond) return;
  dimension.given = perSecond;
  dimension.givenUntil = now + RULES.givenTtlMs;
}

function isGiven(dimension: Dimension, rate: number, now: number): boolean {
  return rate > 0 && dimension.givenUntil > now && rate >= dimension.given * RULES.headroom;
}

/** A slot for one call: the first moment that suits both limits. Returns whole milliseconds from now. */
function reserve(
  state: PaceState,
  cost: number,
  requestRate: number,
  tokenRate: number,
  now: number,
): number {
  const { requests, tokens } = state;
  let start = Math.max(now, state.coolUntil);
  if (requestRate > 0) {
    const spacing = 1000 / requestRate;
    const free = requests.tail - Math.max(0, RULES.creditMs - spacing);
    if (free > now + RULES.bindingMs) requests.boundAt = now;
    start = Math.max(start, free);
  }
  if (tokenRate > 0) {
    const free = tokens.tail - RULES.creditMs;
    if (free > now + RULES.bindingMs) tokens.boundAt = now;
    start = Math.max(start, free);
  }
  if (requestRate > 0) requests.tail = Math.max(start, requests.tail) + 1000 / requestRate;
  if (tokenRate > 0) tokens.tail = Math.max(start, tokens.tail) + (cost * 1000) / tokenRate;
  note(state, start, 1);
  return Math.floor(start - now);
}

function note(state: PaceState, at: number, count: number): void {
  const second = Math.floor(at / 1000);
  state.seen.set(second, Math.max(0, (state.seen.get(second) ?? 0) + count));
}

function forgetOld(state: PaceState, now: number): void {
  const oldest = Math.floor(now / 1000) - RULES.memorySeconds;
  for (const second of state.seen.keys()) if (second < oldest) state.seen.delete(second);
}

/** The most calls admitted in one of the three seconds up to `at`. */
function peakSecond(state: PaceState, at: number): number {
  const second = Math.floor(at / 1000);
  return Math.max(...[0, 1, 2].map((back) => state.seen.get(second - back) ?? 0));
}

/** Calls admitted per second over the last minute, or since the load began. */
function meanOfMinute(state: PaceState, now: number): number {
  const second = Math.floor(now / 1000);
  let sum = 0;
  for (const [at, count] of state.seen) if (at > second - RULES.memorySeconds && at <= second) sum += count;
  const seconds = Math.min(RULES.memorySeconds, Math.max(1, (now - state.activeFrom) / 1000));
  return sum / seconds;
}

/** Whether refusals are so few among the calls that they say nothing about a limit. */
function isStrayRefusal(state: PaceState, { seen, throttled }: PaceReport, now: number): boolean {
  const count = seen.reduce((sum, { requests }) => sum + Math.max(0, -requests), 0);
  const { refused } = state;
  const faded = refused.score * Math.exp(-(now - refused.at) / (RULES.straySeconds * 1000));
  state.refused = { score: faded + Math.max(1, count), at: now };
  const second = Math.floor(now / 1000);
  let calls = 0;
  for (const [at, started] of state.seen)
    if (at > second - RULES.straySeconds && at <= second) calls += started;
  return throttled?.retryAfterMs === 0 && state.refused.score <= calls * RULES.stray;
}

function throttle(state: PaceState, report: ThrottleReport, meanTokens: number, now: number): void {
  const { requests } = state;
  const asked = Math.min(report.retryAfterMs, RULES.maxRetryAfterMs);
  if (report.generation < state.generation) {
    // Of a burst that is known: only its wish to wait longer is new.
    if (now + asked > state.coolUntil) pauseUntil(state, now + asked);
    measureAgain(state, meanTokens, now);
    return;
  }
  // A load that begins towards a given limit meets growth rules first; refused once more, it is a level.
  const isBeginning =
    requests.mode === "ramp" && requests.growth === RULES.rampGrowth && requests.givenUntil > now;
  const cause = report.cause === "requests" && isBeginning ? "burst" : report.cause;
  const dimension = dimensionOf(state, cause);
  const rate = rateOf(dimension, now);
  // A limit that a run gives is known from the start.
  const known = dimension.mode === "level" ? dimension.level : dimension.mode === "none" ? rate : 0;
  // Calls that had reached the level again were well meanwhile: that is no longer the same trouble.
  const wasWell = known > 0 && rate >= known * RULES.nearLevel;
  const isSmall = wasWell && cause !== "burst" && now - state.coolUntil > RULES.heldMs;
  const isChain = state.strikes > 0 && now < state.coolUntil + RULES.chainMs && !wasWell;
  state.strikes = isChain ? state.strikes + 1 : 1;
  if (!isChain) state.chainFrom = now;
  state.generation += 1;
  const { holdSeconds } = dimension;
  const isMeasured = cause === "burst" || known === 0;
  state.event = { at: now, cause, rate, isMeasured };
  dimension.mode = cause === "burst" ? "ramp" : "level";
  dimension.growth = cause === "burst" ? RULES.burstGrowth : RULES.recovery;
  dimension.cut = isSmall ? RULES.smallCut : RULES.cut;
  // A level that only a try at a higher one ended has proven true, and is kept for longer.
  const isProven = known > 0 && rate > known;
  dimension.holdSeconds = isProven ? Math.min(RULES.maxHoldSeconds, holdSeconds * 2) : RULES.holdSeconds;
  dimension.level = isMeasured
    ? measuredLevel(state, meanTokens)
    : corrected(state, known, isSmall, meanTokens, now);
  dimension.boundAt = now;
  const first = isSmall ? RULES.smallPauseMs : RULES.pauseMs;
  const pause = Math.min(RULES.maxPauseMs, first * 2 ** Math.min(state.strikes - 1, 10));
  // Slots taken so far are void: whoever holds one asks again under the new generation.
  state.requests.tail = 0;
  state.tokens.tail = 0;
  pauseUntil(state, now + Math.max(pause, asked));
}

function pauseUntil(state: PaceState, until: number): void {
  state.coolUntil = until;
  dimensionOf(state, state.event.cause).from = until;
}

function dimensionOf(state: PaceState, cause: ThrottleReport["cause"]): Dimension {
  return cause === "tokens" ? state.tokens : state.requests;
}

/** Refusals of one burst, and the calls of other processes, are heard of one by one. */
function measureAgain(state: PaceState, meanTokens: number, now: number): void {
  if (!state.event.isMeasured || now - state.event.at > RULES.pauseMs) return;
  dimensionOf(state, state.event.cause).level = measuredLevel(state, meanTokens);
}

/**
 * A limit of which nothing is known, as its first throttling shows it: what was admitted in the fullest of
 * the last seconds, no more than the rate in force allowed, no less than half of that. After a complaint of
 * growth, calls go on at half.
 */
function measuredLevel(state: PaceState, meanTokens: number): number {
  const { at, cause, rate } = state.event;
  const unit = cause === "tokens" ? meanTokens : 1;
  const measured = Math.max(RULES.leastLevel, peakSecond(state, at)) * unit;
  const level = rate === 0 ? measured : Math.min(rate, Math.max(measured, rate * 0.5));
  return cause === "burst" ? Math.max(RULES.leastRamp, level * RULES.cut) : level;
}

/**
 * A level after the provider refused again.
 *
 * The last minute's mean was admitted, so a limit per minute is not below it, and is just that when the
 * minute was full: refused while trying a higher level, or at the level. Refused at well below the level,
 * after a pause: the minute is full as well, as long as it reaches back to before the trouble.
 */
function corrected(
  state: PaceState,
  known: number,
  isSmall: boolean,
  meanTokens: number,
  now: number,
): number {
  const { cause, rate } = state.event;
  const unit = cause === "tokens" ? meanTokens : 1;
  const mean = meanOfMinute(state, now) * unit;
  const least = RULES.leastLevel * unit;
  if (rate > known) return Math.min(rate, Math.max(known, mean));
  if (rate >= known * RULES.nearLevel)
    return Math.max(
      least,
      Math.min(known, Math.max(mean, known * (isSmall ? RULES.smallCorrection : RULES.correction))),
    );
  const isInMemory = now - state.chainFrom < RULES.memorySeconds * 1000;
  return Math.max(least, Math.min(known, isInMemory ? mean : known * RULES.fall));
}

function startRamp(requests: Dimension, startPerSecond: number, now: number): void {
  if (startPerSecond <= 0 || requests.mode !== "none") return;
  const given = rateOf(requests, now);
  const start = Math.max(startPerSecond, given * RULES.rampStart);
  if (given > 0 && start >= given) return;
  requests.mode = "ramp";
  requests.level = start;
  requests.growth = RULES.rampGrowth;
  requests.from = now;
  requests.boundAt = now;
}

/** A ramp has reached its limit, or nobody has needed it to grow for a while. */
function endRamp(requests: Dimension, now: number): void {
  if (requests.mode !== "ramp" || now < requests.from) return;
  const given = requests.givenUntil > now ? requests.given * RULES.headroom : 0;
  const rate = learnedRate(requests, (now - requests.from) / 1000);
  const isReached = given > 0 && rate >= given;
  const isIdle = now - Math.max(requests.boundAt, requests.from, requests.tail) > RULES.rampEndMs;
  if (isReached || isIdle) requests.mode = "none";
}

/** A higher level is tried only while the known one holds somebody back. */
function freezeProbe(dimension: Dimension, lastAt: number, now: number): void {
  if (dimension.mode !== "level" || now - dimension.boundAt < 1000) return;
  const isProbing = now - dimension.from > dimension.holdSeconds * 1000;
  if (isProbing)
    dimension.from += Math.min(now - lastAt, now - dimension.from - dimension.holdSeconds * 1000);
}
