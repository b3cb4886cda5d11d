import { createHash } from "node:crypto";
import type { Endpoint } from "../provider/endpoint.js";

/**
 * Names the account whose limits calls share: the host and a short digest of the key, from which the key
 * cannot be had. The key itself never leaves the process.
 *
 * Model Studio pools limits over all keys of a main account. Which keys belong together is not known here,
 * so different keys count as different accounts.
 */
export function paceAccount(endpoint: Pick<Endpoint, "baseUrl">, apiKey: string | null): string {
  const { host } = new URL(endpoint.baseUrl);
  const digest = createHash("sha256")
    .update(`promptmill pace\n${host}\n${apiKey ?? ""}`)
    .digest("hex");
  return `${host}:${digest.slice(0, 12)}`;
}

/** Whether calls to this endpoint should begin slowly: the vendor punishes growth, a local server does not. */
export function beginsSlowly(endpoint: Pick<Endpoint, "vendor" | "provider">): boolean {
  return endpoint.vendor === "model-studio" && endpoint.provider !== "simulator";
}
