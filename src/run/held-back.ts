import type { PaceHolder } from "../worker/pacer.js";

/** What there is to see when one asks why a run is not faster. */
export interface RunLoad {
  /** null: calls start as rows come. */
  readonly holder: PaceHolder | null;
  /** Money is reserved for calls under way, and there is none left for more until they end. */
  readonly waitsForBudget: boolean;
  readonly callsModel: boolean;
  /** Workers in other processes; null on the embedded queue. */
  readonly remote: { readonly serving: number; readonly refusals: readonly string[] } | null;
  /** Rows worked on in this process. */
  readonly inFlight: number;
  readonly concurrency: number;
  /** Rows on the queue, those worked on included. */
  readonly onQueue: number;
  /** Every row of the input has been put on the queue. */
  readonly isProduced: boolean;
}

/** Names what holds a run back most, to follow "held back by"; null when it only has to finish. */
export function heldBackBy(load: RunLoad): string | null {
  const { holder, remote, inFlight, concurrency } = load;
  if (holder !== null && holder.kind !== "rate_limit") return describe(holder);
  if (load.waitsForBudget) return "the budget: calls wait until others have cost less than they could";
  if (holder !== null) return describe(holder);
  if (!load.callsModel && remote !== null) {
    if (remote.serving > 0) return null;
    if (remote.refusals.length === 0) return "workers: none is there";
    return `workers: none can serve this run (${remote.refusals.join("; ")})`;
  }
  if (inFlight >= concurrency * 0.9) return `concurrency (${concurrency})`;
  if (load.isProduced && load.onQueue <= concurrency) return null;
  return load.onQueue < concurrency ? "the input" : "the queue";
}

function describe(holder: PaceHolder): string {
  if (holder.kind === "endpoint_down")
    return `a model server that is down (${holder.code}), next try in ${seconds(holder.probeInMs)}`;
  if (holder.kind === "throttled") return `throttling by the provider, ${seconds(holder.forMs)} more`;
  const { requestsPerMinute, tokensPerMinute, isGiven } = holder;
  const rates = [
    ...(requestsPerMinute > 0 ? [`${requestsPerMinute} requests/min`] : []),
    ...(tokensPerMinute > 0 ? [`${tokensPerMinute} tokens/min`] : []),
  ].join(", ");
  return isGiven ? `the rate limit (${rates})` : `the provider's rate limit (about ${rates})`;
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))} s`;
}
