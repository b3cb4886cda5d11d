import type { ProviderError } from "../provider/provider.js";
import type { ModelRequest, Usage } from "../types.js";

/** What a worker asks before a call, and tells after it. One per provider account and model. */
export interface Pacer {
  /** Waits until a call may start. Rejects with the signal's reason when it aborts. */
  acquire(request: ModelRequest, signal: AbortSignal): Promise<Permit>;
}

export interface Permit {
  /** The call was answered. */
  succeeded(usage: Usage): void;
  /** The provider asked for patience. Returns the milliseconds after which the row may be tried again. */
  throttled(error: ProviderError): number;
  /** The call ended otherwise, or was never made. */
  failed(error: ProviderError | null): void;
}
