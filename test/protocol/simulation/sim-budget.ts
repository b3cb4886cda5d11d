import { Budget } from "../../../src/run/budget.js";
import { toExact } from "../../../src/usage/index.js";

const ONE = toExact(1);

/** The program's own budget; every call costs 1. */
export function unitBudget(amount: number, attempts: number): Budget {
  return new Budget({
    amount,
    prices: { currency: "USD", atMost: () => ONE, atMostWithin: () => ONE, of: () => ONE },
    runId: "simulated",
    attempts,
    onWarning: () => {},
  });
}
