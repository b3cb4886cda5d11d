import { UsageError } from "../errors.js";
import { aggregate } from "./aggregate.js";
import type { BillRow } from "./bill.js";
import type { RunUsage } from "./run-usage.js";
import { compareText } from "./compare-text.js";
import { MoneySum } from "./money.js";

export interface CompareOptions {
  /** The zone of the bill's days. Default UTC. */
  readonly timeZone?: string;
  /** Currency of amounts without one. Default: that of the runs, when they have one only. */
  readonly currency?: string;
  /** Amounts per day and model that differ by no more than this are taken for equal. Default 0.01. */
  readonly amountTolerance?: number;
}

/** One figure that is not the same on both sides. `difference` is bill minus ours. */
export interface BillDifference {
  readonly day: string;
  readonly model: string;
  /** `amount`: in `currency`. */
  readonly field: "amount" | "inputTokens" | "outputTokens";
  readonly currency: string | null;
  /** null: no usage of ours; for an amount also: unpriced. */
  readonly ours: number | null;
  /** null: not on the bill. */
  readonly bill: number | null;
  readonly difference: number | null;
}

export interface BillComparison {
  readonly timeZone: string;
  /** Days that the bill covers; usage on other days is not compared. */
  readonly from: string | null;
  readonly to: string | null;
  /** Pairs of day and model compared. */
  readonly compared: number;
  /** By day, then model. Empty: the bill agrees. */
  readonly differences: readonly BillDifference[];
  /** Starts that may have been billed without an answer recorded, in the days compared. */
  readonly possiblyBilled: number;
}

interface Side {
  readonly day: string;
  readonly model: string;
  readonly money: MoneySum;
  inputTokens: number | null;
  outputTokens: number | null;
  unpriced: boolean;
}

/**
 * Compares a bill with what runs used, by day and model. Only what the bill has columns for is compared;
 * a day and model on one side only is a difference. Pure. Throws UsageError when amounts have no currency
 * and the runs have several.
 */
export function compareWithBill(
  runs: readonly RunUsage[],
  bill: readonly BillRow[],
  options: CompareOptions = {},
): BillComparison {
  const days = bill.map((row) => row.day).sort(compareText);
  const [from, to] = [days[0], days.at(-1)];
  const timeZone = options.timeZone ?? "UTC";
  const tolerance = options.amountTolerance ?? 0.01;
  if (from === undefined || to === undefined) {
    return { timeZone, from: null, to: null, compared: 0, differences: [], possiblyBilled: 0 };
  }
  const summary = aggregate(runs, { by: ["day", "model"], timeZone, since: from, until: to });
  const ours = new Map<string, Side>();
  for (const group of summary.groups) {
    const side = sideOf(ours, group.group["day"] ?? "", group.group["model"] ?? "");
    for (const money of group.cost) side.money.add(money);
    side.inputTokens = group.tokens.input;
    side.outputTokens = group.tokens.output;
    side.unpriced = group.unpricedModels.length > 0;
  }
  const currency = options.currency ?? onlyCurrency(summary.total.cost.map((money) => money.currency));
  const theirs = new Map<string, Side>();
  for (const row of bill) addBillRow(theirs, row, currency);

  const has = (field: "amount" | "inputTokens" | "outputTokens"): boolean =>
    bill.some((row) => row[field] !== null);
  const keys = [...new Set([...ours.keys(), ...theirs.keys()])].sort(compareText);
  const differences = keys.flatMap((key) => {
    const pair = { ours: ours.get(key), bill: theirs.get(key) };
    return [
      ...(has("amount") ? amountDifferences(pair, tolerance) : []),
      ...(has("inputTokens") ? tokenDifference(pair, "inputTokens") : []),
      ...(has("outputTokens") ? tokenDifference(pair, "outputTokens") : []),
    ];
  });
  const { possiblyBilled } = summary.total.attempts;
  return { timeZone, from, to, compared: keys.length, differences, possiblyBilled };
}

interface Pair {
  readonly ours: Side | undefined;
  readonly bill: Side | undefined;
}

function amountDifferences(pair: Pair, tolerance: number): BillDifference[] {
  const amounts = (side: Side | undefined): Map<string, number> =>
    new Map(side?.money.toJSON().map((money) => [money.currency, money.amount]));
  const [mine, billed] = [amounts(pair.ours), amounts(pair.bill)];
  return [...new Set([...mine.keys(), ...billed.keys()])].sort(compareText).flatMap((currency) => {
    const [amount, onBill] = [mine.get(currency) ?? null, billed.get(currency) ?? null];
    const difference = (onBill ?? 0) - (amount ?? 0);
    const isPartly = pair.ours?.unpriced === true;
    // Half a billionth: what doubles add to a difference that is exactly the tolerance.
    if (!isPartly && Math.abs(difference) <= tolerance + 5e-10) return [];
    return [entry(pair, "amount", currency, amount, onBill)];
  });
}

function tokenDifference(pair: Pair, field: "inputTokens" | "outputTokens"): BillDifference[] {
  const [mine, billed] = [pair.ours?.[field] ?? null, pair.bill?.[field] ?? null];
  return (mine ?? 0) === (billed ?? 0) ? [] : [entry(pair, field, null, mine, billed)];
}

function entry(
  pair: Pair,
  field: BillDifference["field"],
  currency: string | null,
  ours: number | null,
  bill: number | null,
): BillDifference {
  const { day = "", model = "" } = pair.ours ?? pair.bill ?? {};
  const difference = ours === null || bill === null ? null : Number((bill - ours).toFixed(9));
  return { day, model, field, currency, ours, bill, difference };
}

function addBillRow(sides: Map<string, Side>, row: BillRow, currency: string | null): void {
  const side = sideOf(sides, row.day, row.model);
  if (row.inputTokens !== null) side.inputTokens = (side.inputTokens ?? 0) + row.inputTokens;
  if (row.outputTokens !== null) side.outputTokens = (side.outputTokens ?? 0) + row.outputTokens;
  if (row.amount === null) return;
  const unit = row.currency ?? currency;
  if (unit === null) {
    throw new UsageError(`The bill's amount in line ${row.line} has no currency, and the runs do not tell.`, {
      code: "bill_without_currency",
      hint: "Add a currency column to the bill, with USD or CNY in each line.",
    });
  }
  side.money.add({ amount: row.amount, currency: unit });
}

function sideOf(sides: Map<string, Side>, day: string, model: string): Side {
  const key = `${day} ${model}`;
  let side = sides.get(key);
  if (!side) {
    side = { day, model, money: new MoneySum(), inputTokens: null, outputTokens: null, unpriced: false };
    sides.set(key, side);
  }
  return side;
}

function onlyCurrency(currencies: readonly string[]): string | null {
  return currencies.length === 1 ? (currencies[0] ?? null) : null;
}
