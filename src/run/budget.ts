import { HaltError } from "../errors.js";
import type { RowTask } from "../protocol/events.js";
import type { EndedCall, LedgerListener, OpenStart } from "../protocol/ledger.js";
import type { CallBound, ModelRequest, Money, Usage } from "../types.js";
import { formatMoney, toExact, toNumber, type ExactAmount } from "../usage/index.js";
import { translationParts } from "../worker/long-translation.js";

/** Code of the halt of a run whose budget is spent. */
export const BUDGET_SPENT = "budget_spent";
/** Share of the budget at which the user is told, in percent. */
const WARN_AT_PERCENT = 80n;

/** What calls cost, in one currency. */
export interface BudgetPrices {
  /** ISO 4217. */
  readonly currency: string;
  /** The most that one call of the request can cost. */
  atMost(request: ModelRequest): ExactAmount;
  atMostWithin(model: string, bound: CallBound): ExactAmount;
  of(usage: Usage, model: string): ExactAmount;
}

export interface BudgetOptions {
  /** In the currency of `prices`. */
  readonly amount: number;
  readonly prices: BudgetPrices;
  readonly runId: string;
  /** Attempts per row that count, the first included. */
  readonly attempts: number;
  /** Told once, when most of the budget is spent. */
  readonly onWarning: (message: string) => void;
}

/** Money that one row ties up. */
interface RowMoney {
  /** For the calls that its lease may still make, the one under way included. */
  reserved: ExactAmount;
  /** Of one call. */
  once: ExactAmount;
  /** Calls whose end is not known, and which no reservation covers any more, by worker and key. */
  readonly lost: Map<string, ExactAmount>;
  /** Calls under way within the reservation. */
  readonly running: Map<string, ExactAmount>;
}

/**
 * Keeps the promise that a run costs no more than its budget. It hears all of the journal, so it knows the same after a restart.
 *
 * Money is *spent* (calls that ended: at their price, or at their bound where their tokens are not known), *reserved* (for
 * rows in leases: every call that the row may still make, at its bound), *lost* (starts without an end of rows that
 * are in no lease, at their bound), or free. A row goes into a lease only with money reserved, so whatever workers do, and
 * wherever they are, the sum stays within the budget.
 *
 * When the free money covers a row's first calls but not all of its attempts, it is taken alone, with fewer;
 * when it does not cover one call and nothing is reserved, the budget is spent.
 */
export class Budget implements LedgerListener {
  readonly #options: BudgetOptions;
  readonly #limit: ExactAmount;
  readonly #prices: BudgetPrices;
  readonly #rows = new Map<number, RowMoney>();
  #spent = 0n;
  #reserved = 0n;
  #lost = 0n;
  #reservedRows = 0;
  /** The highest bound of a call so far: what one costs of which nothing is known. */
  #highestOnce = 0n;
  #unknownStarts = 0;
  #needed: ExactAmount | null = null;
  #warned = false;
  #waiting: (() => void) | null = null;
  /** Money came free after the last refusal: whoever was refused should ask again. */
  #released = false;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#limit = toExact(options.amount);
    this.#prices = options.prices;
  }

  get spent(): Money {
    return this.#money(this.#spent);
  }

  /** Set when a row could not be paid for although no other row has money reserved. */
  get isSpent(): boolean {
    return this.#needed !== null;
  }

  /** True while rows wait for money that rows in leases may give back. */
  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  /** Starts of which nothing but their number is known, at most. */
  set unknownStarts(starts: number) {
    this.#unknownStarts = starts;
  }

  started(start: OpenStart): void {
    const money = this.#moneyOf(start.rowIndex);
    const cost = start.bound === null ? money.once : this.#bound(start.model, start.bound);
    if (money.reserved > 0n) money.running.set(nameOf(start), cost);
    else this.#lose(money, nameOf(start), cost);
  }

  voided(start: OpenStart): void {
    this.#close(start);
  }

  ended(call: EndedCall, start: OpenStart | undefined): void {
    const cost = this.#costOf(call);
    const wasReserved = start !== undefined && this.#close(start);
    this.#spent += cost;
    if (wasReserved && call.billing !== "free") this.#useUp(call.rowIndex);
    this.#warnIfDue();
  }

  /** The row is in no lease any more: what it did not use is free, but for calls that nobody knows the end of. */
  release(rowIndex: number): void {
    const money = this.#rows.get(rowIndex);
    if (money === undefined) return;
    if (money.reserved > 0n) this.#reservedRows--;
    this.#reserved -= money.reserved;
    money.reserved = 0n;
    for (const [name, cost] of money.running) this.#lose(money, name, cost);
    money.running.clear();
    if (money.lost.size === 0) this.#rows.delete(rowIndex);
    this.#released = true;
    this.#waiting?.();
  }

  /** Reserves money for a row that is to go into a lease. Returns it with the calls that are paid for; null: not now. */
  reserve(task: RowTask): RowTask | null {
    const once = this.#prices.atMost(task.request);
    if (once > this.#highestOnce) this.#highestOnce = once;
    const calls = this.#callsOf(task);
    const unknown = BigInt(this.#unknownStarts) * this.#highestOnce;
    const free = this.#limit - this.#spent - this.#reserved - this.#lost - unknown;
    const affordable = once === 0n ? BigInt(calls) : free / once;
    const isAlone = this.#reservedRows === 0;
    if (free < 0n || affordable < (isAlone ? 1n : BigInt(calls))) {
      if (isAlone) this.#needed = once;
      this.#released = false;
      return null;
    }
    const paidCalls = affordable < BigInt(calls) ? Number(affordable) : calls;
    const money = this.#moneyOf(task.rowIndex);
    money.once = once;
    money.reserved = BigInt(paidCalls) * once;
    this.#reserved += money.reserved;
    if (money.reserved > 0n) this.#reservedRows++;
    return { ...task, paidCalls };
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
    const used = this.#spent + this.#lost;
    const atLeast = Math.max(amount * 2, toNumber(used + (this.#needed ?? 0n)));
    return new HaltError(
      `The budget of ${this.#show(this.#limit)} is spent: ${this.#show(used)} used${needed}.`,
      {
        code: BUDGET_SPENT,
        hint: `Go on with a higher one:  promptmill resume ${runId} --budget ${Number(atLeast.toPrecision(3))}`,
      },
    );
  }

  #costOf({ billing, usage, model, bound, rowIndex }: EndedCall): ExactAmount {
    if (billing === "free") return 0n;
    if (billing === "billed" && usage !== null) return this.#prices.of(usage, model);
    return bound === null ? (this.#rows.get(rowIndex)?.once ?? this.#highestOnce) : this.#bound(model, bound);
  }

  /** A reserved call was made: the reservation is for the others. */
  #useUp(rowIndex: number): void {
    const money = this.#moneyOf(rowIndex);
    const used = money.once < money.reserved ? money.once : money.reserved;
    money.reserved -= used;
    this.#reserved -= used;
    if (used > 0n && money.reserved === 0n) this.#reservedRows--;
  }

  /** Returns whether the start was within a reservation. */
  #close(start: OpenStart): boolean {
    const money = this.#rows.get(start.rowIndex);
    if (money === undefined) return false;
    const name = nameOf(start);
    if (money.running.delete(name)) return true;
    this.#lost -= money.lost.get(name) ?? 0n;
    money.lost.delete(name);
    if (money.lost.size === 0 && money.running.size === 0 && money.reserved === 0n)
      this.#rows.delete(start.rowIndex);
    return false;
  }

  #lose(money: RowMoney, name: string, cost: ExactAmount): void {
    money.lost.set(name, cost);
    this.#lost += cost;
    this.#warnIfDue();
  }

  #bound(model: string, bound: CallBound): ExactAmount {
    const cost = this.#prices.atMostWithin(model, bound);
    if (cost > this.#highestOnce) this.#highestOnce = cost;
    return cost;
  }

  /** All calls that may be billed for a row: its attempts, and the parts of a long translation. */
  #callsOf(task: RowTask): number {
    const parts = translationParts(task) - (task.translated?.parts ?? 0);
    return Math.max(1, this.#options.attempts - task.ended) - 1 + parts;
  }

  #moneyOf(rowIndex: number): RowMoney {
    let money = this.#rows.get(rowIndex);
    if (money === undefined) {
      money = { reserved: 0n, once: 0n, lost: new Map(), running: new Map() };
      this.#rows.set(rowIndex, money);
    }
    return money;
  }

  #warnIfDue(): void {
    const used = this.#spent + this.#lost;
    if (this.#warned || used * 100n < this.#limit * WARN_AT_PERCENT) return;
    this.#warned = true;
    this.#options.onWarning(`${this.#show(used)} of the budget of ${this.#show(this.#limit)} is spent.`);
  }

  #money(amount: ExactAmount): Money {
    return { amount: toNumber(amount), currency: this.#prices.currency };
  }

  #show(amount: ExactAmount): string {
    return formatMoney(this.#money(amount));
  }
}

function nameOf({ worker, key }: OpenStart): string {
  return `${worker} ${key}`;
}
