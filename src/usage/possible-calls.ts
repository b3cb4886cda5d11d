import type { CallBound, Money } from "../types.js";
import { exactCostBound, type Lane } from "./cost.js";
import { toNumber, type ExactAmount } from "./money.js";
import type { PriceEntry } from "./price-entry.js";

/** Calls of a row that may have been billed with no answer recorded. */
export interface PossiblyBilledRow {
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  readonly starts: number;
  /** All of them together cost no more than this; null when the price or the bound is not known. */
  readonly atMost: Money | null;
}

export interface PossibleCall {
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  readonly bound: CallBound | null;
}

interface Entry {
  readonly call: PossibleCall;
  starts: number;
  /** null: no bound is known. */
  readonly currency: string | null;
  atMost: ExactAmount;
}

/** The list of possibly billed calls: one entry for calls of the same row and model. */
export class PossibleCalls {
  readonly #entries = new Map<string, Entry>();

  add(call: PossibleCall, price: PriceEntry | null, lane: Lane): void {
    const atMost = price && call.bound && exactCostBound(price, call.bound, lane);
    const currency = atMost === null ? null : (price?.currency ?? null);
    this.#add({ call, starts: 1, currency, atMost: atMost ?? 0n });
  }

  addAll(others: PossibleCalls): void {
    for (const entry of others.#entries.values()) this.#add({ ...entry });
  }

  /** By row, in ascending order. */
  rows(): PossiblyBilledRow[] {
    return [...this.#entries.values()]
      .sort((a, b) => a.call.rowIndex - b.call.rowIndex)
      .map(({ call: { rowIndex, customId, model }, starts, currency, atMost }) => ({
        rowIndex,
        customId,
        model,
        starts,
        atMost: currency === null ? null : { amount: toNumber(atMost), currency },
      }));
  }

  #add(entry: Entry): void {
    const { rowIndex, customId, model } = entry.call;
    const key = JSON.stringify([rowIndex, entry.currency, model, customId]);
    const same = this.#entries.get(key);
    if (same === undefined) this.#entries.set(key, entry);
    else {
      same.starts += entry.starts;
      same.atMost += entry.atMost;
    }
  }
}
