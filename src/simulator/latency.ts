import { drawUniform } from "./request-fingerprint.js";

/** How long an answer takes before its first byte. Milliseconds. */
export type Latency =
  | { readonly kind: "fixed"; readonly ms: number }
  | { readonly kind: "log-normal"; readonly medianMs: number; readonly sigma: number };

/** Milliseconds for the `callNumber`-th call of a request: the same for the same arguments. */
export function latencyMs(latency: Latency, seed: number, fingerprint: string, callNumber: number): number {
  if (latency.kind === "fixed") return latency.ms;
  const radius = Math.sqrt(-2 * Math.log(1 - drawUniform(seed, fingerprint, callNumber * 8 + 1)));
  const angle = 2 * Math.PI * drawUniform(seed, fingerprint, callNumber * 8 + 2);
  return latency.medianMs * Math.exp(latency.sigma * radius * Math.cos(angle));
}
