import type { ProviderError } from "../provider/provider.js";
import type { ModelRequest, Usage } from "../types.js";

/** What a worker asks before a call, and tells after it. One per run and process. */
export interface Pacer {
  /** A permit at once, when nothing keeps calls from starting; null: ask `acquire`. */
  tryAcquire(request: ModelRequest): Permit | null;
  /** Waits until a call may start. Rejects with the signal's reason when it aborts. */
  acquire(request: ModelRequest, signal: AbortSignal): Promise<Permit>;
  /** What keeps calls from starting at this moment. */
  status(): PaceStatus;
  /** Follows what other processes meet with this model, also while nothing is called here. */
  watch(model: string): void;
  close(): void;
}

/** Exactly one of the three is called, once. */
export interface Permit {
  /** The call was answered. null: nobody knows its tokens. */
  succeeded(usage: Usage | null): void;
  /** The provider asked for patience. Returns the milliseconds after which the row may be tried again. */
  throttled(error: ProviderError): number;
  /**
   * The call ended otherwise; null: it was never made. Returns null when the attempt counts. While nothing
   * reaches the model server it does not: then the milliseconds after which the row may be tried again.
   */
  failed(error: ProviderError | null): number | null;
}

/** What keeps calls from starting. Milliseconds are from now. */
export type PaceHolder =
  | { readonly kind: "endpoint_down"; readonly code: string; readonly probeInMs: number }
  | { readonly kind: "throttled"; readonly forMs: number }
  | {
      readonly kind: "rate_limit";
      /** 0: not by requests. */
      readonly requestsPerMinute: number;
      /** 0: not by tokens. */
      readonly tokensPerMinute: number;
      /** false: found out by being throttled. */
      readonly isGiven: boolean;
    };

export interface PaceStatus {
  /** null: calls start as rows come. */
  readonly holder: PaceHolder | null;
  /** For how long the provider has been refusing, or the endpoint been down; 0 when neither. */
  readonly throttledForMs: number;
  readonly downForMs: number;
  /** Whether any call of this process was ever answered, be it by an error about its row. */
  readonly wasAnswered: boolean;
}
