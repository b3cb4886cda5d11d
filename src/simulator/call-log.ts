import type { SimulatedUsage } from "./usage.js";
import type { SimulatedFault } from "./faults.js";

/** What became of the calls of one request. */
export interface RequestCalls {
  /** All calls of it, throttled ones too. */
  readonly calls: number;
  readonly answered: number;
  /** Answers made and billed whose delivery was spoiled. */
  readonly spoiled: number;
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
  /** By fingerprint (requestFingerprint); empty with `trackRequests: false`. */
  readonly perRequest: ReadonlyMap<string, RequestCalls>;
}

export type Outcome =
  | { readonly kind: "answered" | "spoiled"; readonly usage: SimulatedUsage }
  | { readonly kind: "rejected"; readonly code: string }
  | { readonly kind: "dropped" };

interface MutableRequestCalls {
  calls: number;
  admitted: number;
  answered: number;
  spoiled: number;
  lastUserText: string;
}

const shownTextLength = 120;
/** Without tracking, call numbers are kept in this many slots, which requests may share. */
const untrackedSlots = 1 << 18;

/** Counts calls. `trackRequests: false` keeps memory constant, whatever the number of distinct requests. */
export class CallLog {
  readonly #tracked: boolean;
  readonly #requests = new Map<string, MutableRequestCalls>();
  readonly #untracked: Uint16Array;
  #total = 0;
  #answered = 0;
  #spoiled = 0;
  #dropped = 0;
  #inFlight = 0;
  #peakInFlight = 0;
  #firstMs: number | null = null;
  readonly #perSecond: number[] = [];
  readonly #rejected = new Map<string, number>();
  readonly #faults = new Map<SimulatedFault, number>();
  readonly #tokens = { input: 0, output: 0, cachedInput: 0, reasoning: 0 };
  readonly #spoiledTokens = { input: 0, output: 0 };

  constructor(trackRequests: boolean) {
    this.#tracked = trackRequests;
    this.#untracked = new Uint16Array(trackRequests ? 0 : untrackedSlots);
  }

  /** Calls so far, those in flight included. */
  get total(): number {
    return this.#total;
  }

  begin(nowMs: number): void {
    this.#total++;
    this.#inFlight++;
    this.#peakInFlight = Math.max(this.#peakInFlight, this.#inFlight);
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
      const text = lastUserText.slice(0, shownTextLength);
      this.#requests.set(fingerprint, { calls: 1, admitted: 0, answered: 0, spoiled: 0, lastUserText: text });
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
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
  }

  /** `fingerprint` is null for a call whose body could not be read. */
  end(fingerprint: string | null, outcome: Outcome): void {
    this.#inFlight--;
    const request = fingerprint === null ? undefined : this.#requests.get(fingerprint);
    switch (outcome.kind) {
      case "answered":
        this.#answered++;
        if (request !== undefined) request.answered++;
        this.#tokens.input += outcome.usage.input;
        this.#tokens.output += outcome.usage.output;
        this.#tokens.cachedInput += outcome.usage.cachedInput;
        this.#tokens.reasoning += outcome.usage.reasoning;
        break;
      case "spoiled":
        this.#spoiled++;
        if (request !== undefined) request.spoiled++;
        this.#spoiledTokens.input += outcome.usage.input;
        this.#spoiledTokens.output += outcome.usage.output;
        break;
      case "rejected":
        this.#rejected.set(outcome.code, (this.#rejected.get(outcome.code) ?? 0) + 1);
        break;
      case "dropped":
        this.#dropped++;
        break;
    }
  }

  /** A copy: what happens after does not change it. */
  counts(): CallCounts {
    const perRequest = new Map<string, RequestCalls>();
    for (const [fingerprint, { calls, answered, spoiled, lastUserText }] of this.#requests) {
      perRequest.set(fingerprint, { calls, answered, spoiled, lastUserText });
    }
    return { ...this.totals(), perRequest };
  }

  totals(): Omit<CallCounts, "perRequest"> {
    return {
      total: this.#total,
      answered: this.#answered,
      rejected: Object.fromEntries(this.#rejected),
      spoiled: this.#spoiled,
      dropped: this.#dropped,
      inFlight: this.#inFlight,
      peakInFlight: this.#peakInFlight,
      perSecond: [...this.#perSecond],
      faults: Object.fromEntries(this.#faults),
      tokens: { ...this.#tokens },
      spoiledTokens: { ...this.#spoiledTokens },
    };
  }
}
