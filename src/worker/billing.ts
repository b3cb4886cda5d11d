import { callBound, type ProviderError, type Vendor } from "../provider/index.js";
import type { QueuePayload } from "../queue/payload.js";
import type { CallBound } from "../types.js";

/**
 * Whether a failed call may have been billed although nobody knows its tokens: the request went out, and
 * instead of an orderly refusal there came silence, a broken connection or an answer that cannot be read.
 */
export function mayHaveBeenBilled(error: ProviderError): boolean {
  return error.mayHaveBeenBilled;
}

/**
 * Starts of a row that cost money or may have, among the first `starts`: all but those whose end is known
 * and was free of charge.
 */
export function costlyStarts(payload: QueuePayload, starts: number): number {
  return Math.max(0, starts - ((payload.ended ?? 0) - (payload.priorUsages?.length ?? 0)));
}

/** The bound of one call, for a result some of whose calls were possibly billed. */
export function boundField(
  payload: QueuePayload,
  possiblyBilled: number,
  vendor?: Vendor,
): { callBound?: CallBound } {
  const bound = possiblyBilled > 0 ? callBound(payload.request, vendor) : null;
  return bound === null ? {} : { callBound: bound };
}
