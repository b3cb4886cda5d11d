import type { Billing } from "../protocol/events.js";
import type { ProviderError } from "../provider/index.js";

/**
 * Whether a failed call may have been billed although nobody knows its tokens: the request went out, and
 * instead of an orderly refusal there came silence, a broken connection or an answer that cannot be read.
 */
export function mayHaveBeenBilled(error: ProviderError): boolean {
  return error.mayHaveBeenBilled;
}

export function billingOf(error: ProviderError): Billing {
  if (error.usage !== null) return "billed";
  return mayHaveBeenBilled(error) ? "possible" : "free";
}
