import { HaltError } from "../errors.js";
import type { QueuePayload } from "../queue/payload.js";
import type { Money, Result } from "../types.js";
import { formatMoney, toExact, toNumber, type ExactAmount } from "../usage/index.js";
import { costlyStarts } from "../worker/billing.js";
import { BUDGET_SPENT } from "../worker/funds.js";
import { translationParts } from "../worker/long-translation.js";
import type { CallPrices } from "./call-prices.js";

/** Share of the budget at which the user is told, in percent. */
const WARN_AT_PERCENT = 80n;

export interface BudgetOptions {
  /** In the currency of `prices`. */
  readonly amount: number;
  readonly prices: CallPrices;
  readonly runId: string;
  /** Calls of the model per row, the first included. */
  readonly attempts: number;
  /** Told once, when most of the budget is spent. */
  readonly onWarning: (message: string) => void;
}

/**
 * Keeps the promise that a run costs no more than its budget.
 *
 * Money is in one of three places: *spent* (on disk in the journal, with calls that were possibly billed at
 * their bound), *reserved* (for rows on the queue, at the bound of every call that the row may still make)
 * and free. A row goes on the queue only with money reserved, so whatever the workers do, and wherever they
 * are, the sum stays within the budget. A settled row gives back what it did not use.
 *
 * When the free money covers a row's first calls but not all of its attempts, it is taken alone, with fewer;
 * when it does not cover one call and nothing is reserved, the budget is spent.
 */
export class Budget {
  readonly #options: BudgetOptions;
  readonly #limit: ExactAmount;
  readonly #prices: CallPrices;
  readonly #reserved = new Map<number, ExactAmount>();
  #reservedSum = 0n;
  #spent = 0n;
  #needed: ExactAmount | null = null;
  #warned = false;
  #waiting: (() => void) | null = null;
  /** A release came after the last refusal: whoever was refused should ask again. */
  #released = false;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#limit = toExact(options.amount);
    this.#prices = options.prices;
  }

  get spent(): Money {
    return this.#money(this.#spent);
  }

  /** Set when a row could not be paid for although no other row holds money. */
  get isSpent(): boolean {
    return this.#needed !== null;
  }

  /** True while rows wait for money that rows on the queue may give back. */
  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  /** Counts what a result cost. `isExtra`: its row had one already, whose earlier attempts are counted. */
  count(result: Result & { readonly reused?: unknown }, isExtra: boolean): void {
    if (result.reused !== undefined) return;
    const isWhole = !isExtra || result.orphaned === true;
    const usages = [...(isWhole ? (result.priorUsages ?? []) : []), ...(result.usage ? [result.usage] : [])];
    for (const usage of usages) this.#spent += this.#prices.of(usage, result.model);
    if (isWhole && result.possiblyBilled > 0 && result.callBound !== undefined) {
      this.#spent +=
        BigInt(result.possiblyBilled) * this.#prices.atMostWithin(result.model, result.callBound);
    }
    this.#warnIfDue();
  }

  /** The row is on disk: what it did not use is free again. */
  release(rowIndex: number): void {
    this.#reservedSum -= this.#reserved.get(rowIndex) ?? 0n;
    this.#reserved.delete(rowIndex);
    this.#released = true;
    this.#waiting?.();
  }

  /** Reserves money for a row that is new to the queue. Returns it with the calls that are paid for; null: not now. */
  reserve(payload: QueuePayload): QueuePayload | null {
    if (this.#reserved.has(payload.rowIndex)) return payload; // a row that the queue still held
    const once = this.#prices.atMost(payload.request);
    const paidStarts = this.#take(payload.rowIndex, 0n, once, this.#callsOf(payload));
    return paidStarts === null ? null : { ...payload, paidStarts };
  }

  /**
   * Reserves for a row that the queue held when its coordinator came back: the calls it made, which no
   * journal line tells of, and those it may still make. Returns its starts that are paid for. Without money
   * for further ones that is what it has had; the calls it made are spent then.
   */
  reserveStarted(payload: QueuePayload, starts: number): number {
    const costly = costlyStarts(payload, starts);
    const made = this.#madeCost(payload, costly);
    const more = this.#takeStarted(payload, costly, made);
    if (more === null) this.#spent += made;
    return costly + (more ?? 0);
  }

  /**
   * Reserves more for a row that was taken with fewer calls than it may make, now that it is known what its
   * first ones cost. Returns its starts that are paid for; null: there is no money for another.
   */
  reserveMore(payload: QueuePayload, starts: number): number | null {
    const { rowIndex } = payload;
    const costly = costlyStarts(payload, starts);
    const before = this.#reserved.get(rowIndex) ?? 0n;
    this.#reserved.delete(rowIndex);
    this.#reservedSum -= before;
    const more = this.#takeStarted(payload, costly, this.#madeCost(payload, costly));
    if (more !== null) return costly + more;
    this.#reserved.set(rowIndex, before);
    this.#reservedSum += before;
    this.#needed = null; // the row holds money: it is not for the producer to end the run
    return null;
  }

  /**
   * Reserves anew for a row that a queue server lost. What was reserved for it before is spent: nobody knows
   * what became of its calls.
   */
  reserveAgain(payload: QueuePayload): QueuePayload | null {
    this.#spent += this.#reserved.get(payload.rowIndex) ?? 0n;
    this.release(payload.rowIndex);
    return this.reserve(payload);
  }

  /** Resolves with true when money may have come free; with false when none will, or the signal aborts. */
  async room(signal: AbortSignal): Promise<boolean> {
    if (this.isSpent || signal.aborted) return false;
    if (this.#released) return true;
    let wake = (): void => {};
    await new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiting = resolve;
      signal.addEventListener("abort", wake, { once: true });
    });
    signal.removeEventListener("abort", wake);
    this.#waiting = null;
    return !signal.aborted;
  }

  /** Why the run halts. */
  halt(): HaltError {
    const { amount, runId } = this.#options;
    const needed =
      this.#needed === null
        ? ", and another attempt for the row at hand could cost more than what is left"
        : `, and the next call could cost ${this.#show(this.#needed)}`;
    const atLeast = Math.max(amount * 2, toNumber(this.#spent + (this.#needed ?? 0n)));
    return new HaltError(
      `The budget of ${this.#show(this.#limit)} is spent: ${this.#show(this.#spent)} used${needed}.`,
      {
        code: BUDGET_SPENT,
        hint: `Go on with a higher one:  promptmill resume ${runId} --budget ${Number(atLeast.toPrecision(3))}`,
      },
    );
  }

  #take(rowIndex: number, made: ExactAmount, once: ExactAmount, calls: number): number | null {
    const free = this.#limit - this.#spent - this.#reservedSum - made;
    const affordable = once === 0n ? BigInt(calls) : free / once;
    const isAlone = this.#reserved.size === 0;
    if (free < 0n || affordable < (isAlone ? 1n : BigInt(calls))) {
      if (isAlone) this.#needed = once;
      this.#released = false;
      return null;
    }
    const granted = affordable < BigInt(calls) ? Number(affordable) : calls;
    const amount = made + BigInt(granted) * once;
    this.#reserved.set(rowIndex, amount);
    this.#reservedSum += amount;
    return granted;
  }

  #takeStarted(payload: QueuePayload, costly: number, made: ExactAmount): number | null {
    const calls = Math.max(1, this.#callsOf(payload) - costly);
    return this.#take(payload.rowIndex, made, this.#prices.atMost(payload.request), calls);
  }

  /** What the costly starts of a row cost: known for those that ended, at their bound for all others. */
  #madeCost({ priorUsages = [], request }: QueuePayload, costly: number): ExactAmount {
    const known = priorUsages.reduce((sum, usage) => sum + this.#prices.of(usage, request.model), 0n);
    return known + BigInt(Math.max(0, costly - priorUsages.length)) * this.#prices.atMost(request);
  }

  /** All calls that may be billed for a row: its attempts, and the parts of a long translation. */
  #callsOf(payload: QueuePayload): number {
    return this.#options.attempts - 1 + translationParts(payload);
  }

  #warnIfDue(): void {
    if (this.#warned || this.#spent * 100n < this.#limit * WARN_AT_PERCENT) return;
    this.#warned = true;
    this.#options.onWarning(
      `${this.#show(this.#spent)} of the budget of ${this.#show(this.#limit)} is spent.`,
    );
  }

  #money(amount: ExactAmount): Money {
    return { amount: toNumber(amount), currency: this.#prices.currency };
  }

  #show(amount: ExactAmount): string {
    return formatMoney(this.#money(amount));
  }
}
