import type { Money } from "../types.js";

/**
 * Money while it is being added up: an integer count of 10^-15 of a currency unit.
 *
 * Prices per million tokens with up to six decimals, their 20%, 125% and half are whole numbers in this
 * unit, so sums are exact and do not depend on the order of adding.
 */
export type ExactAmount = bigint;

const DECIMALS = 15;
const UNITS_PER_ONE = 10n ** BigInt(DECIMALS);
/** Stored amounts carry at most this many true decimals; what a double adds beyond them is noise. */
const STORED_DECIMALS = 12;

/** The nearest number to an exact amount: for storing and showing, never for adding further. */
export function toNumber(amount: ExactAmount): number {
  const sign = amount < 0n ? "-" : "";
  const digits = (amount < 0n ? -amount : amount).toString().padStart(DECIMALS + 1, "0");
  return Number(`${sign}${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`);
}

/** An amount read from a file or a bill, made exact. Throws RangeError unless finite and below 10^21. */
export function toExact(amount: number): ExactAmount {
  if (!Number.isFinite(amount) || Math.abs(amount) >= 1e21)
    throw new RangeError(`Not an amount of money: ${amount}.`);
  const [whole = "0", fraction = ""] = Math.abs(amount).toFixed(STORED_DECIMALS).split(".");
  const exact = BigInt(whole) * UNITS_PER_ONE + BigInt(fraction.padEnd(DECIMALS, "0"));
  return amount < 0 ? -exact : exact;
}

/** Adds money of any currencies, one sum each: currencies are never mixed. */
export class MoneySum {
  readonly #amounts = new Map<string, ExactAmount>();

  addExact(currency: string, amount: ExactAmount): void {
    this.#amounts.set(currency, (this.#amounts.get(currency) ?? 0n) + amount);
  }

  add(money: Money): void {
    this.addExact(money.currency, toExact(money.amount));
  }

  /** One entry per currency, in alphabetical order. */
  toJSON(): Money[] {
    return [...this.#amounts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([currency, amount]) => ({ amount: toNumber(amount), currency }));
  }
}

/**
 * Shows an amount as `1.23 USD`. Two decimals; below 1 unit as many as show three significant digits, six at
 * most, so that a small run does not look free.
 */
export function formatMoney(money: Money): string {
  return `${formatAmount(money.amount)} ${money.currency}`;
}

/**
 * Decimals for a column of amounts, so that its points stand below each other: 2, or what the smallest one
 * needs for two digits, 4 at most.
 */
export function columnDecimals(amounts: readonly number[]): number {
  const sizes = amounts.map(Math.abs).filter((size) => size > 0);
  const smallest = sizes.reduce((least, size) => Math.min(least, size), 1);
  return Math.min(4, decimalsToShow(smallest, 2));
}

function decimalsToShow(size: number, digits: number): number {
  return Math.min(6, Math.max(2, digits - 1 - Math.floor(Math.log10(size))));
}

/**
 * The number of `formatMoney` alone, for columns whose heading names the currency; with as many decimals as
 * given, else as it needs.
 */
export function formatAmount(amount: number, decimals?: number): string {
  if (decimals !== undefined) return withThousands(amount.toFixed(decimals));
  const size = Math.abs(amount);
  if (size >= 1 || size === 0) return withThousands(amount.toFixed(2));
  if (size < 0.000001) return amount < 0 ? "> -0.000001" : "< 0.000001";
  return amount.toFixed(decimalsToShow(size, 3)).replace(/(\.\d\d\d*?)0+$/, "$1");
}

/** Groups the digits before the point by thousands with commas. */
export function withThousands(digits: string): string {
  const [whole = "", fraction] = digits.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
