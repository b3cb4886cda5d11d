import type { SimulatedUsage } from "./usage.js";
import type { SimulatedFault } from "./faults.js";

/** What became of the calls of one request. */
export interface RequestCalls {
  /** All calls of it, throttled ones too. */
  readonly calls: number;
  readonly answered: number;
  /** Answers made and billed whose delivery was spoiled. */
  readonly spoiled: number;
  /** All that would be billed: answered, spoiled, and left by a client while its answer was made. */
  readonly billed: number;
  /** The beginning of the last user message. */
  readonly lastUserText: string;
}

/**
 * What the simulator did since its start or last reset. Every ended call is in exactly one of answered,
 * rejected, spoiled and dropped: `total` is their sum and `inFlight`.
 */
export interface CallCounts {
  readonly total: number;
  /** Calls answered with 200, a readable body and billed usage. */
  readonly answered: number;
  /** Refused calls by the vendor's code as sent, which differs between the protocols. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Answers that were made, and would be billed, but could not be read: malformed, truncated, reset. */
  readonly spoiled: number;
  /** Calls that ended without an answer: reset, hung, or left by the client. */
  readonly dropped: number;
  readonly inFlight: number;
  readonly peakInFlight: number;
  /** Calls that began in each second since the first one. */
  readonly perSecond: readonly number[];
  /** Faults met, by name. */
  readonly faults: Readonly<Partial<Record<SimulatedFault, number>>>;
  /** Billed by answered calls. `input` includes cached, `output` reasoning. */
  readonly tokens: {
    readonly input: number;
    readonly output: number;
    readonly cachedInput: number;
    readonly reasoning: number;
  };
  /** Would be billed by spoiled calls. */
  readonly spoiledTokens: { readonly input: number; readonly output: number };
  /** Would be billed by dropped calls, whose client left while the answer was made. */
  readonly droppedTokens: { readonly input: number; readonly output: number };
  /** By fingerprint (requestFingerprint); empty with `trackRequests: false`. */
  readonly perRequest: ReadonlyMap<string, RequestCalls>;
}

export type Outcome =
  | { readonly kind: "answered" | "spoiled"; readonly usage: SimulatedUsage }
  | { readonly kind: "rejected"; readonly code: string }
  /** `usage` of the answer that was being made; null when none was. */
  | { readonly kind: "dropped"; readonly usage: SimulatedUsage | null };

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type Totals = Omit<CallCounts, "perRequest">;
type TrackedRequest = Mutable<RequestCalls> & { admitted: number };

const shownTextLength = 120;
/** Without tracking, call numbers are kept in this many slots, which requests may share. */
const untrackedSlots = 1 << 18;

/** Counts calls. `trackRequests: false` keeps memory constant, whatever the number of distinct requests. */
export class CallLog {
  readonly #tracked: boolean;
  readonly #requests = new Map<string, TrackedRequest>();
  readonly #untracked: Uint16Array;
  #firstMs: number | null = null;
  readonly #perSecond: number[] = [];
  readonly #rejected: Record<string, number> = {};
  readonly #faults: Partial<Record<SimulatedFault, number>> = {};
  readonly #tokens = { input: 0, output: 0, cachedInput: 0, reasoning: 0 };
  readonly #spoiledTokens = { input: 0, output: 0 };
  readonly #droppedTokens = { input: 0, output: 0 };
  readonly #totals: Mutable<Totals> = {
    total: 0,
    answered: 0,
    rejected: this.#rejected,
    spoiled: 0,
    dropped: 0,
    inFlight: 0,
    peakInFlight: 0,
    perSecond: this.#perSecond,
    faults: this.#faults,
    tokens: this.#tokens,
    spoiledTokens: this.#spoiledTokens,
    droppedTokens: this.#droppedTokens,
  };

  constructor(trackRequests: boolean) {
    this.#tracked = trackRequests;
    this.#untracked = new Uint16Array(trackRequests ? 0 : untrackedSlots);
  }

  /** Calls so far, those in flight included. */
  get total(): number {
    return this.#totals.total;
  }

  begin(nowMs: number): void {
    const totals = this.#totals;
    totals.total++;
    totals.inFlight++;
    totals.peakInFlight = Math.max(totals.peakInFlight, totals.inFlight);
    this.#firstMs ??= nowMs;
    const second = Math.floor((nowMs - this.#firstMs) / 1_000);
    while (this.#perSecond.length <= second) this.#perSecond.push(0);
    this.#perSecond[second] = (this.#perSecond[second] ?? 0) + 1;
  }

  /** Counts a call of a request whose body could be read. */
  note(fingerprint: string, lastUserText: string): void {
    if (!this.#tracked) return;
    const request = this.#requests.get(fingerprint);
    if (request === undefined) {
      const none = { calls: 1, admitted: 0, answered: 0, spoiled: 0, billed: 0 };
      this.#requests.set(fingerprint, { ...none, lastUserText: lastUserText.slice(0, shownTextLength) });
    } else {
      request.calls++;
    }
  }

  /** The call's number among the admitted (not throttled) calls of its request, from 1. */
  admit(fingerprint: string): number {
    if (!this.#tracked) {
      const slot = Number.parseInt(fingerprint.slice(0, 8), 16) % untrackedSlots;
      const number = (this.#untracked[slot] ?? 0) + 1;
      this.#untracked[slot] = number;
      return number;
    }
    const request = this.#requests.get(fingerprint);
    return request === undefined ? 1 : ++request.admitted;
  }

  meet(fault: SimulatedFault): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }

  /** `fingerprint` is null for a call whose body could not be read. */
  end(fingerprint: string | null, outcome: Outcome): void {
    this.#totals.inFlight--;
    if (outcome.kind === "rejected") {
      this.#rejected[outcome.code] = (this.#rejected[outcome.code] ?? 0) + 1;
      return;
    }
    const { kind, usage } = outcome;
    const request = fingerprint === null ? undefined : this.#requests.get(fingerprint);
    this.#totals[kind]++;
    if (request !== undefined && kind !== "dropped") request[kind]++;
    if (usage === null) return;
    if (request !== undefined) request.billed++;
    const tokens =
      kind === "answered" ? this.#tokens : kind === "spoiled" ? this.#spoiledTokens : this.#droppedTokens;
    tokens.input += usage.input;
    tokens.output += usage.output;
    if (kind !== "answered") return;
    this.#tokens.cachedInput += usage.cachedInput;
    this.#tokens.reasoning += usage.reasoning;
  }

  /** What became of one request; null for one that was not called. */
  ofRequest(fingerprint: string): RequestCalls | null {
    const request = this.#requests.get(fingerprint);
    if (request === undefined) return null;
    const { admitted: _admitted, ...calls } = request;
    return calls;
  }

  /** A copy: what happens after does not change it. */
  counts(): CallCounts {
    const perRequest = new Map<string, RequestCalls>();
    for (const [fingerprint, { admitted: _admitted, ...calls }] of this.#requests) {
      perRequest.set(fingerprint, calls);
    }
    return { ...this.totals(), perRequest };
  }

  totals(): Totals {
    return structuredClone(this.#totals);
  }
}
