import type { ProviderError } from "../provider/provider.js";

/** Failures in a row, at least and at most, that open the breaker; between them the concurrency decides. */
const LEAST_FAILURES = 10;
const MOST_FAILURES = 100;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
/** How often those who wait look whether a probe was answered. */
const LOOK_MS = 250;

/**
 * Whether calls to one endpoint make sense.
 *
 * - closed: calls go. As many failures in a row as calls may be under way, ten at least, open it.
 * - open: nobody calls until a pause is over; each further pause is twice as long, up to half a minute.
 * - probing: one call is under way; its answer closes the breaker, its failure opens it again.
 *
 * Failures are 5xx answers and connections that could not be made or broke. A refusal of any other kind is
 * an answer. Attempts that fail while it is open do not count against their rows; nor do probes without a
 * connection. A probe answered with 5xx does count, or a row that always ends so would be tried for ever.
 */
export class PaceBreaker {
  readonly #threshold: number;
  readonly #now: () => number;
  #failures = 0;
  #openedAt: number | null = null;
  #pauses = 0;
  #nextProbeAt = 0;
  #isProbing = false;
  #code = "";
  #wasAnswered = false;

  constructor(concurrency: number, now: () => number = () => performance.now()) {
    this.#threshold = Math.min(MOST_FAILURES, Math.max(LEAST_FAILURES, concurrency));
    this.#now = now;
  }

  /** Asks to start a call: "call", "probe", or milliseconds to wait before asking again. */
  enter(): "call" | "probe" | number {
    if (this.#openedAt === null) return "call";
    const wait = this.#nextProbeAt - this.#now();
    if (wait > 0) return wait;
    if (this.#isProbing) return LOOK_MS;
    this.#isProbing = true;
    return "probe";
  }

  /** The endpoint answered, whatever it said. Returns whether the breaker was open. */
  answered(): boolean {
    const wasOpen = this.#openedAt !== null;
    this.#wasAnswered = true;
    this.#failures = 0;
    this.#pauses = 0;
    this.#openedAt = null;
    this.#isProbing = false;
    return wasOpen;
  }

  /** A call ended without saying anything about the endpoint. */
  left(isProbe: boolean): void {
    if (isProbe) this.#isProbing = false;
  }

  /** A call failed as `isOutage` says. Returns null when it counts as an attempt, else when to try again. */
  failed(error: ProviderError, isProbe: boolean): number | null {
    this.#code = error.code;
    this.#failures += 1;
    const wasOpen = this.#openedAt !== null;
    if (isProbe) {
      this.#isProbing = false;
      this.#pause();
      return error.kind === "network" ? this.probeInMs : null;
    }
    if (wasOpen) return this.probeInMs;
    if (this.#failures < this.#threshold) return null;
    this.#openedAt = this.#now();
    this.#pause();
    return null;
  }

  #pause(): void {
    this.#nextProbeAt = this.#now() + Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#pauses);
    this.#pauses += 1;
  }

  get isOpen(): boolean {
    return this.#openedAt !== null;
  }

  get downForMs(): number {
    return this.#openedAt === null ? 0 : Math.max(1, this.#now() - this.#openedAt);
  }

  get probeInMs(): number {
    return Math.max(1, Math.ceil(this.#nextProbeAt - this.#now()));
  }

  /** The last failure's code. */
  get code(): string {
    return this.#code;
  }

  get wasAnswered(): boolean {
    return this.#wasAnswered;
  }
}

/** Whether a failure says that the endpoint is in trouble rather than the row or its answer. */
export function isOutage(error: Pick<ProviderError, "kind" | "httpStatus" | "disposition">): boolean {
  if (error.disposition !== "retryable") return false;
  return error.kind === "network" || (error.kind === "server" && (error.httpStatus ?? 0) >= 500);
}

/** Whether a failure came from the endpoint at all: a timeout does not tell. */
export function isAnswer(error: Pick<ProviderError, "kind" | "httpStatus">): boolean {
  return error.httpStatus !== null && error.kind !== "timeout";
}
