import { UsageError } from "../errors.js";
import type { Money } from "../types.js";
import { MoneySum } from "./money.js";

/** One unit of `from` is worth `rate` units of `to`. */
export interface ExchangeRate {
  readonly from: string;
  readonly to: string;
  /** > 0 */
  readonly rate: number;
}

/**
 * Reads a rate as `--rate` takes it: `CNY=0.14USD`, blanks and small letters allowed.
 *
 * Throws UsageError when the text is something else, the rate is not above zero, or both sides are the
 * same currency.
 */
export function parseExchangeRate(text: string): ExchangeRate {
  const match = /^\s*([a-z]{3})\s*=\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]{3})\s*$/i.exec(text);
  const rate = Number(match?.[2]);
  const from = match?.[1]?.toUpperCase();
  const to = match?.[3]?.toUpperCase();
  if (from === undefined || to === undefined || from === to || !(rate > 0)) {
    throw new UsageError(
      `--rate: expected a rate between two currencies, received ${JSON.stringify(text)}.`,
      {
        code: "invalid_exchange_rate",
        hint: "Write what one unit is worth in the other currency: --rate CNY=0.14USD",
      },
    );
  }
  return { from, to, rate };
}

/**
 * Converts what has a rate and leaves the rest as it is. One step only: a chain of rates is not followed.
 * The result holds one sum per remaining currency.
 */
export function convertMoney(amounts: readonly Money[], rates: readonly ExchangeRate[]): Money[] {
  const sum = new MoneySum();
  for (const money of amounts) {
    const rate = rates.find((candidate) => candidate.from === money.currency);
    sum.add(rate ? { amount: money.amount * rate.rate, currency: rate.to } : money);
  }
  return sum.toJSON();
}

/** Refuses rates that contradict each other or form a chain, both of which would make sums ambiguous. */
export function checkExchangeRates(rates: readonly ExchangeRate[]): void {
  const sources = new Set<string>();
  for (const rate of rates) {
    if (sources.has(rate.from) || rates.some((other) => other.from === rate.to)) {
      throw new UsageError(`--rate: ${rate.from}=${rate.rate}${rate.to} conflicts with another rate given.`, {
        code: "conflicting_exchange_rates",
        hint: "Give one rate per currency, all into the same target: --rate CNY=0.14USD --rate EUR=1.1USD",
      });
    }
    sources.add(rate.from);
  }
}
