import { listenForAbort, stopListening } from "../provider/abort-listeners.js";
import type { PaceReply, PaceReport, PaceStore, SeenCalls, ThrottleReport } from "../queue/pace-store.js";
import { SlotQueue, type Waiter } from "./pace-slots.js";

/** How often a process speaks to its store when nothing else makes it, milliseconds. */
const HEARTBEAT_MS = 500;
/**
 * Reservations are taken for about so long ahead, milliseconds: few round trips, no slot lost while the
 * process is busy, and little to take back after a throttling.
 */
const LEAD_MS = 250;
const MOST_RESERVATIONS = 256;
/** A load that paused longer asks before it starts again, milliseconds. */
const IDLE_MS = 10_000;
/**
 * Calls that may be under way at first: so many, or this part of all that may be at once. Each answer lets one
 * more start, and the number doubles in this many milliseconds while none comes: a server that refuses is
 * heard before all have gone. Slower beginnings are the store's to ask for.
 */
const FIRST_CALLS = 64;
const FIRST_PART = 1 / 4;
const DOUBLING_MS = 50;
/** Counts of calls are told to the store by tenths of a second. */
const BIN_MS = 100;
const RETRY_STORE_MS = 500;

export interface PaceKeeperOptions {
  readonly store: PaceStore;
  /** Account and model. */
  readonly key: string;
  /** Per second; 0 for none. */
  readonly requestsPerSecond: number;
  readonly tokensPerSecond: number;
  readonly startPerSecond: number;
  /** Calls that this process makes at once at most. */
  readonly concurrency: number;
  readonly meanTokens: () => number;
  readonly onStoreError: (error: unknown) => void;
  readonly now?: () => number;
}

/** A call that may start. */
export interface Start {
  readonly at: number;
  readonly generation: number;
  /** Tokens reserved for it; 0 when tokens are not limited. */
  readonly cost: number;
}

function firstCalls(concurrency: number): number {
  return Math.max(FIRST_CALLS, Math.floor(concurrency * FIRST_PART));
}

/**
 * Starts the calls of one process to one account and model, as the store allows.
 *
 * - unknown: the store is asked first; nothing starts. So it begins, and after a pause of its own or a
 *   throttling.
 * - free: calls start without asking; how many may be under way doubles quickly, until the process' own
 *   concurrency is the bound. The store hears how many there were.
 * - controlled: each call needs a slot, reserved a quarter of a second ahead and many at a time.
 */
export class PaceKeeper {
  readonly #options: PaceKeeperOptions;
  readonly #now: () => number;
  readonly #queue: SlotQueue;
  readonly #timer: NodeJS.Timeout;
  #mode: "unknown" | "free" | "controlled" = "unknown";
  #reply: PaceReply | null = null;
  #repliedAt = 0;
  #inFlight = 0;
  #allowed: number;
  #batch = 1;
  #lastStartAt = 0;
  #isExchanging = false;
  #isAskedAgain = false;
  #isClosed = false;
  #isWatched = false;
  #leaseTimer: NodeJS.Timeout | undefined;
  #growthTimer: NodeJS.Timeout | undefined;
  #seen = new Map<number, number>();
  #settledTokens = 0;
  #throttled: ThrottleReport | null = null;

  constructor(options: PaceKeeperOptions) {
    this.#options = options;
    this.#allowed = firstCalls(options.concurrency);
    this.#now = options.now ?? (() => performance.now());
    this.#queue = new SlotQueue(this.#now);
    this.#timer = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#timer.unref();
  }

  /** Whether calls need to say what they will cost. */
  get needsCost(): boolean {
    return this.#options.tokensPerSecond > 0 || (this.#reply?.tokensPerSecond ?? 0) > 0;
  }

  /** The store's last word, with times as they are now; null before the first. */
  get reply(): (PaceReply & { readonly waiting: number }) | null {
    const reply = this.#reply;
    if (reply === null) return null;
    const age = this.#now() - this.#repliedAt;
    return { ...reply, coolDownMs: Math.max(0, reply.coolDownMs - age), waiting: this.#queue.length };
  }

  /** A start at once where calls start without asking; null: not now. */
  tryAcquire(): Start | null {
    const isFree = this.#mode === "free" && this.#queue.length === 0 && this.#inFlight < this.#allowed;
    return isFree && !this.#isIdle() ? this.#start(0) : null;
  }

  /**
   * Resolves when a call may start; `ended` must follow. `cost` says in tokens what the call is likely to use;
   * it is asked when a slot is reserved, since calls that wait may learn from those before them.
   */
  acquire(cost: () => number, signal: AbortSignal): Promise<Start> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const start = this.tryAcquire();
    if (start !== null) return Promise.resolve(start);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        cost,
        reserved: 0,
        due: null,
        go: () => {
          stopListening(signal, leaving);
          resolve(this.#start(waiter.due === null ? 0 : waiter.reserved));
        },
      };
      const leaving = {
        abort: (reason: unknown): void => {
          stopListening(signal, leaving);
          this.#queue.remove(waiter);
          if (waiter.due !== null) this.#settledTokens -= waiter.reserved;
          reject(reason as Error);
        },
      };
      listenForAbort(signal, leaving);
      this.#queue.add(waiter);
      this.#pump();
    });
  }

  /** The call is over. `tokens`: what it used in truth; null when nobody knows. */
  ended(start: Start, tokens: number | null): void {
    this.#inFlight -= 1;
    // What started before tokens were limited uses them all the same.
    if (tokens !== null && this.needsCost) this.#settledTokens += tokens - start.cost;
    if (this.#allowed < this.#options.concurrency) this.#allowed += 1;
    if (this.#queue.length > 0 && this.#mode !== "controlled") this.#pump();
  }

  /** The call was refused; nothing starts until the store has heard of it. */
  refused(start: Start, report: Omit<ThrottleReport, "generation">): void {
    this.#inFlight -= 1;
    this.#settledTokens -= start.cost;
    this.#count(start.at, -1);
    const { generation } = start;
    if (this.#throttled === null || this.#throttled.generation < generation)
      this.#throttled = { ...report, generation };
    else if (this.#throttled.retryAfterMs < report.retryAfterMs)
      this.#throttled = { ...this.#throttled, retryAfterMs: report.retryAfterMs };
    if (this.#mode === "free") this.#mode = "unknown";
    this.#exchange();
  }

  /** Lets the load grow anew from its beginning: the endpoint was away. */
  restart(): void {
    this.#allowed = firstCalls(this.#options.concurrency);
  }

  /** Hears of other processes from now on, whether anything is called here or not. */
  watch(): void {
    this.#isWatched = true;
    this.#exchange();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#leaseTimer);
    clearTimeout(this.#growthTimer);
    this.#queue.close();
  }

  #isIdle(): boolean {
    return this.#inFlight === 0 && this.#now() - this.#lastStartAt > IDLE_MS;
  }

  #start(cost: number): Start {
    const at = this.#now();
    this.#inFlight += 1;
    this.#lastStartAt = at;
    // Slots are counted where they are reserved.
    if (this.#mode === "free") this.#count(at, 1);
    return { at, generation: this.#reply?.generation ?? 0, cost };
  }

  #count(at: number, requests: number): void {
    const bin = Math.floor(at / BIN_MS) * BIN_MS;
    this.#seen.set(bin, (this.#seen.get(bin) ?? 0) + requests);
  }

  #pump(): void {
    if (this.#isClosed || this.#queue.length === 0) return;
    if (this.#mode === "free" && this.#isIdle()) this.#mode = "unknown";
    if (this.#mode === "unknown") this.#exchange();
    else if (this.#mode === "controlled") this.#lease();
    else this.#startFree();
  }

  #startFree(): void {
    while (this.#queue.length > 0 && this.#inFlight < this.#allowed) this.#queue.startFirst();
    if (this.#queue.length === 0 || this.#growthTimer !== undefined) return;
    this.#growthTimer = setTimeout(() => {
      this.#growthTimer = undefined;
      this.#allowed = Math.min(this.#options.concurrency, this.#allowed * 2);
      this.#pump();
    }, DOUBLING_MS);
  }

  /** Reserves slots once those at hand are nearly used up. */
  #lease(): void {
    if (this.#queue.unreserved === 0) return;
    const ahead = this.#queue.lastDue - this.#now() - LEAD_MS;
    if (ahead <= 0) {
      this.#exchange();
      return;
    }
    clearTimeout(this.#leaseTimer);
    this.#leaseTimer = setTimeout(() => this.#lease(), ahead);
  }

  #beat(): void {
    const isBusy = this.#isWatched || this.#inFlight > 0 || this.#queue.length > 0 || this.#seen.size > 0;
    const isGiven = this.#options.requestsPerSecond > 0 || this.#options.tokensPerSecond > 0;
    if (isBusy || isGiven || this.#settledTokens !== 0) this.#exchange();
  }

  #exchange(): void {
    if (this.#isClosed) return;
    if (this.#isExchanging) {
      this.#isAskedAgain ||= this.#mode === "unknown";
      return;
    }
    this.#isExchanging = true;
    void this.#exchangeOnce().finally(() => {
      this.#isExchanging = false;
      const isNeeded = this.#isAskedAgain || this.#throttled !== null;
      this.#isAskedAgain = false;
      if (isNeeded) this.#exchange();
      this.#pump();
    });
  }

  async #exchangeOnce(): Promise<void> {
    const wanted =
      this.#queue.lastDue - this.#now() <= LEAD_MS ? this.#queue.firstUnreserved(this.#batch) : [];
    const report = this.#report(wanted);
    try {
      const reply = await this.#options.store.exchange(this.#options.key, report);
      this.#take(reply, wanted);
    } catch (error) {
      if (this.#isClosed) return;
      this.#options.onStoreError(error);
      this.#settledTokens += report.settledTokens;
      this.#throttled ??= report.throttled;
      await new Promise((resolve) => setTimeout(resolve, RETRY_STORE_MS).unref());
    }
  }

  #report(wanted: readonly Waiter[]): PaceReport {
    const { requestsPerSecond, tokensPerSecond, startPerSecond, meanTokens } = this.#options;
    const now = this.#now();
    const seen: SeenCalls[] = [];
    for (const [at, requests] of this.#seen)
      if (requests !== 0) seen.push({ ageMs: Math.round(now - at), requests });
    const report: PaceReport = {
      requestsPerSecond,
      tokensPerSecond,
      startPerSecond,
      seen,
      settledTokens: this.#settledTokens,
      meanTokens: meanTokens(),
      throttled: this.#throttled,
      wants: wanted.map((waiter) => (waiter.reserved = waiter.cost())),
    };
    this.#seen = new Map();
    this.#settledTokens = 0;
    this.#throttled = null;
    return report;
  }

  #take(reply: PaceReply, wanted: readonly Waiter[]): void {
    const now = this.#now();
    // A throttling voids what was reserved before it.
    if (this.#reply !== null && reply.generation !== this.#reply.generation) this.#queue.unreserve();
    this.#reply = reply;
    this.#repliedAt = now;
    this.#lastStartAt = Math.max(this.#lastStartAt, now); // asked just now: the pause is over
    // What the store does not know yet may take the freedom away again.
    this.#mode = reply.controlled ? "controlled" : this.#throttled === null ? "free" : "unknown";
    if (!reply.controlled) {
      this.#queue.unreserve();
      return;
    }
    const { waitsMs } = reply;
    this.#queue.reserve(
      wanted,
      waitsMs.map((wait) => now + wait),
    );
    if (waitsMs.length === 0) return;
    const span = (waitsMs.at(-1) ?? 0) - (waitsMs[0] ?? 0);
    if (waitsMs.length === this.#batch && span < LEAD_MS)
      this.#batch = Math.min(MOST_RESERVATIONS, this.#batch * 2);
    else if (span > 2 * LEAD_MS) this.#batch = Math.max(1, this.#batch >> 1);
  }
}
