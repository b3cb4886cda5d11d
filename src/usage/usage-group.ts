import type { Money } from "../types.js";
import type { RunUsage } from "./run-usage.js";
import { compareText } from "./compare-text.js";
import { convertMoney, type ExchangeRate } from "./exchange-rate.js";
import { MoneySum } from "./money.js";
import { addCounts, addTokens, emptyTokens, type TokenCounts } from "./usage-bucket.js";
import type { AttemptCounts, HourUsage } from "./usage-report.js";

/** Sums of one group. Money holds one entry per currency. */
export interface UsageGroup {
  /** By dimension, in the order of `by`. */
  readonly group: Readonly<Record<string, string>>;
  readonly runs: number;
  readonly rows: { readonly total: number; readonly succeeded: number; readonly failed: number };
  readonly attempts: AttemptCounts;
  readonly tokens: Readonly<TokenCounts>;
  readonly cost: readonly Money[];
  /** Empty when there are no rows. */
  readonly costPer1000Rows: readonly Money[];
  readonly unpricedModels: readonly string[];
  readonly approximateModels: readonly string[];
  /** By kind, the most frequent first. */
  readonly failures: Readonly<Record<string, number>>;
  readonly reused: { readonly rows: number; readonly saved: readonly Money[] };
}

/** Adds up one group: parts of runs go in, a UsageGroup comes out. */
export class GroupSum {
  readonly #runs = new Set<RunUsage>();
  readonly #rows = { total: 0, succeeded: 0, failed: 0 };
  readonly #attempts = { billed: 0, possiblyBilled: 0, unknownUsage: 0 };
  readonly #tokens = emptyTokens();
  readonly #cost = new MoneySum();
  readonly #saved = new MoneySum();
  readonly #unpriced = new Set<string>();
  readonly #approximate = new Set<string>();
  readonly #failures: Record<string, number> = {};
  #reused = 0;

  constructor(readonly group: Readonly<Record<string, string>>) {}

  add(run: RunUsage, part: HourUsage): void {
    this.#runs.add(run);
    this.#rows.succeeded += part.rows.succeeded;
    this.#rows.failed += part.rows.failed;
    this.#rows.total += part.rows.succeeded + part.rows.failed;
    this.#attempts.billed += part.attempts.billed;
    this.#attempts.possiblyBilled += part.attempts.possiblyBilled;
    this.#attempts.unknownUsage += part.attempts.unknownUsage;
    addTokens(this.#tokens, part.tokens);
    if (part.cost) this.#cost.add(part.cost);
    if (part.attempts.unpriced > 0) this.#unpriced.add(part.model);
    if (part.approximate) this.#approximate.add(part.model);
    addCounts(this.#failures, part.failures);
    this.#reused += part.reused.rows;
    if (part.reused.saved) this.#saved.add(part.reused.saved);
  }

  result(rates: readonly ExchangeRate[]): UsageGroup {
    const cost = convertMoney(this.#cost.toJSON(), rates);
    const rows = this.#rows.total;
    return {
      group: this.group,
      runs: this.#runs.size,
      rows: this.#rows,
      attempts: this.#attempts,
      tokens: this.#tokens,
      cost,
      costPer1000Rows:
        rows === 0 ? [] : cost.map(({ amount, currency }) => ({ amount: (amount / rows) * 1000, currency })),
      unpricedModels: [...this.#unpriced].sort(),
      approximateModels: [...this.#approximate].sort(),
      failures: Object.fromEntries(
        Object.entries(this.#failures).sort(([a, x], [b, y]) => y - x || compareText(a, b)),
      ),
      reused: { rows: this.#reused, saved: convertMoney(this.#saved.toJSON(), rates) },
    };
  }
}
