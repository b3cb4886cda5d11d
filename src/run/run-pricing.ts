import type { Config } from "../config.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { resolveEndpoint } from "../provider/index.js";
import type { Lane } from "../usage/index.js";

/** By what a run's calls are priced. */
export interface RunPricing {
  readonly provider: string;
  /** null where prices have none. */
  readonly region: string | null;
  /** Batch Chat costs half. */
  readonly lane: Lane;
}

/** What run.json of a run says now, found out for one that was made before it said so. */
export function pricingOf(job: ResolvedJob, config: Pick<Config, "providers" | "environment">): RunPricing {
  const { provider } = job;
  try {
    const { region, batchChat } = resolveEndpoint(job, config.providers, config.environment);
    return { provider, region: job.region ?? region, lane: batchChat ? "batch" : "real-time" };
  } catch {
    return { provider, region: job.region, lane: "real-time" }; // the configuration does not know the provider any more
  }
}
