import { UsageError } from "../errors.js";
import { callBound, type Vendor } from "../provider/index.js";
import type { CallBound, ModelRequest, Usage } from "../types.js";
import {
  exactCost,
  exactCostBound,
  tierFor,
  type ExactAmount,
  type Lane,
  type PriceEntry,
  type PricePlace,
  type PriceTable,
} from "../usage/index.js";

export interface CallPricesOptions {
  /** The job's own model; its price decides the currency. */
  readonly model: string;
  readonly prices: PriceTable;
  readonly place: PricePlace;
  readonly lane: Lane;
  readonly vendor: Vendor;
}

/**
 * What calls cost, exactly and in one currency, as a budget needs it: every call must have a price and a
 * bound. UsageError where one has not.
 */
export class CallPrices {
  /** ISO 4217. */
  readonly currency: string;
  readonly #options: CallPricesOptions;

  constructor(options: CallPricesOptions) {
    this.#options = options;
    this.currency = this.#lookup(options.model).currency;
  }

  /** The most that one call of the request can cost. */
  atMost(request: ModelRequest): ExactAmount {
    const bound = callBound(request, this.#options.vendor);
    if (bound !== null) return this.atMostWithin(request.model, bound);
    throw new UsageError(`A budget needs a bound for each call, and one of ${request.model} has none.`, {
      code: "budget_unbounded",
      hint: "Set parameters.maxTokens in the job (and leave enableSearch and video away), or remove limits.budget.",
    });
  }

  atMostWithin(model: string, bound: CallBound): ExactAmount {
    const price = this.#price(model);
    const longest = price.tiers.at(-1)?.upToInputTokens ?? null; // longer input is refused by the provider
    const inputTokens = longest === null ? bound.inputTokens : Math.min(bound.inputTokens, longest);
    return exactCostBound(price, { ...bound, inputTokens }, this.#options.lane) ?? 0n;
  }

  /** What a billed call cost; beyond the longest priced input, at the rates of that. */
  of(usage: Usage, model: string): ExactAmount {
    const price = this.#price(model);
    const last = price.tiers.at(-1);
    const isBeyond = tierFor(price, usage.inputTokens) === null && last !== undefined;
    const entry = isBeyond ? { ...price, tiers: [{ ...last, upToInputTokens: null }] } : price;
    return exactCost(usage, entry, this.#options.lane) ?? 0n;
  }

  #price(model: string): PriceEntry {
    const price = this.#lookup(model);
    if (price.currency === this.currency) return price;
    throw new UsageError(
      `limits.budget is in ${this.currency}, and ${model} is priced in ${price.currency}.`,
      {
        code: "budget_currency",
        hint: "Give models of one currency to a run with a budget.",
      },
    );
  }

  #lookup(model: string): PriceEntry {
    const price = this.#options.prices.lookup(model, this.#options.place);
    if (price !== null) return price;
    throw new UsageError(`limits.budget: no price is known for ${model}, so no budget can be kept.`, {
      code: "budget_unpriced",
      hint: "Add its price under prices: in promptmill.config.yaml (promptmill prices lists what is known), or remove the budget.",
    });
  }
}
