import type { ProviderError } from "../provider/provider.js";
import type { ThrottleCause } from "../queue/pace-store.js";

const CAUSES: Readonly<Record<string, ThrottleCause>> = {
  limit_burst_rate: "burst",
  "throttling.burstrate": "burst",
  insufficient_quota: "tokens",
  "throttling.allocationquota": "tokens",
};

/**
 * What a throttling was about, by the vendor's code. Model Studio says insufficient_quota for tokens per
 * minute; a code that says nothing of the kind counts as too many requests.
 */
export function throttleCause(error: Pick<ProviderError, "code">): ThrottleCause {
  return CAUSES[error.code.toLowerCase()] ?? "requests";
}
