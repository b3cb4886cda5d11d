import type { ResolvedJob } from "../job/resolved-job.js";
import { Budget } from "./budget.js";
import { CallPrices } from "./call-prices.js";
import type { ModelServer } from "./model-server.js";
import { configuredPrices } from "./prices.js";
import type { Session } from "./session.js";

export type PricedServer = Pick<ModelServer, "endpoint" | "priceRegion" | "lane">;

/** Prices of a job's calls when it has a budget, else null. UsageError when its model has no price. */
export function budgetPrices(job: ResolvedJob, session: Session, models: PricedServer): CallPrices | null {
  if (job.limits.budget === undefined) return null;
  return new CallPrices({
    model: job.model,
    prices: configuredPrices(session.config),
    place: { provider: job.provider, region: models.priceRegion },
    lane: models.lane,
    vendor: models.endpoint.vendor,
  });
}

/** The budget of a run; null when its job has none. UsageError when none can be kept. */
export function openBudget(
  job: ResolvedJob,
  runId: string,
  session: Session,
  models: PricedServer,
): Budget | null {
  const amount = job.limits.budget;
  const prices = budgetPrices(job, session, models);
  if (amount === undefined || prices === null) return null;
  return new Budget({
    amount,
    prices,
    runId,
    attempts: job.attempts,
    onWarning: (message) => session.log.warn({ runId }, message),
  });
}
