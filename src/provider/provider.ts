import type { Answer, ModelRequest, RowErrorKind, Usage } from "../types.js";

/**
 * What a failed attempt means for the row and for the run.
 *
 * - retryable: another attempt may help; uses one up
 * - throttled: the provider asks for patience; uses none up
 * - row: permanent for this row
 * - run: permanent for every row (key refused, arrears, unknown model)
 */
export type Disposition = "retryable" | "throttled" | "row" | "run";

export interface ProviderErrorOptions {
  disposition: Disposition;
  kind: RowErrorKind;
  /** The vendor's code, or ours in snake_case where there is none. */
  code: string;
  httpStatus?: number | null;
  /** The server's own wish (Retry-After), in milliseconds, unbounded as received. */
  retryAfterMs?: number | null;
  requestId?: string | null;
  /** Set when the failed attempt was billed all the same. */
  usage?: Usage | null;
  /** For run errors: what the user should do next. */
  hint?: string | undefined;
  cause?: unknown;
}

/** One attempt failing. Everything a retry decision needs is computed once, here. Never holds a key. */
export class ProviderError extends Error {
  readonly disposition: Disposition;
  readonly kind: RowErrorKind;
  readonly code: string;
  readonly httpStatus: number | null;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;
  readonly usage: Usage | null;
  readonly hint: string | undefined;

  constructor(message: string, options: ProviderErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ProviderError";
    this.disposition = options.disposition;
    this.kind = options.kind;
    this.code = options.code;
    this.httpStatus = options.httpStatus ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.requestId = options.requestId ?? null;
    this.usage = options.usage ?? null;
    this.hint = options.hint;
  }
}

export interface CallOptions {
  /** Aborts the call; the attempt then fails with the signal's reason, not with a ProviderError. */
  readonly signal: AbortSignal;
  /** Total time for a call answered at once; time between chunks for a streamed one. Milliseconds. */
  readonly timeoutMs: number;
}

/** One model server, spoken to in one protocol. Safe for concurrent calls. */
export interface Provider {
  /** Makes one attempt. Throws ProviderError for everything the server or the network says. */
  call(request: ModelRequest, options: CallOptions): Promise<Answer>;
  /** Closes pooled connections. Calls in flight are aborted. */
  close(): Promise<void>;
}
