import { ProviderError } from "../provider/index.js";
import type { QueuePayload } from "../queue/payload.js";
import { costlyStarts } from "./billing.js";

/** Code of the error by which a worker says that the next call of a row is not paid for. */
export const BUDGET_SPENT = "budget_spent";

/**
 * Whether a row's start may call the model.
 *
 * - paid: money is reserved for it, or there is no budget
 * - used_up: so many starts were lost that all the money for the row's attempts is gone: the row fails
 * - short: money was reserved for fewer attempts than the row may make, as there was no more: the run halts
 */
export type Funds = "paid" | "used_up" | "short";

/** Funds for the start that is number `starts` of its row, which has not called yet. */
export function fundsFor(payload: QueuePayload, starts: number, attempts: number): Funds {
  const { paidStarts } = payload;
  if (paidStarts === undefined || costlyStarts(payload, starts) <= paidStarts) return "paid";
  return paidStarts >= attempts ? "used_up" : "short";
}

/** What halts a run by its budget; the coordinator says the amounts. */
export function budgetSpent(): ProviderError {
  return new ProviderError("the budget is spent: the next call could exceed it", {
    disposition: "run",
    kind: "invalid_request",
    code: BUDGET_SPENT,
    hint: "Resume the run with a higher --budget.",
  });
}

/** A row all of whose paid starts were lost with their workers. */
export function startsUsedUp(payload: QueuePayload): ProviderError {
  return new ProviderError(
    `All ${payload.paidStarts ?? 0} calls that the budget reserves for a row were lost or could not be read.`,
    { disposition: "row", kind: "worker_lost", code: "paid_starts_used_up" },
  );
}
