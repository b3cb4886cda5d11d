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
  /** Where it is known better than the kind of failure tells. */
  mayHaveBeenBilled?: boolean | undefined;
  /** For run errors: it is the account that is refused, whatever is asked. @default false */
  isOfAccount?: boolean;
  /** For run errors: what the user should do next. */
  hint?: string | undefined;
  cause?: unknown;
}

/** Failures of a connection that was never there: no request went out. */
const NOT_SENT: ReadonlySet<string> = new Set([
  "connection_refused",
  "host_not_found",
  "host_unreachable",
  "connect_timeout",
  "tls_error",
  "proxy_refused",
  "provider_closed",
]);

/** One attempt failing. Everything a retry decision needs is computed once, here. Never holds a key. */
export class ProviderError extends Error {
  readonly disposition: Disposition;
  readonly kind: RowErrorKind;
  readonly code: string;
  readonly httpStatus: number | null;
  readonly retryAfterMs: number | null;
  readonly requestId: string | null;
  readonly usage: Usage | null;
  /**
   * Nobody knows the tokens, but there may be some: the request went out, and instead of an orderly refusal there
   * came silence, a broken connection or an answer that cannot be read.
   */
  readonly mayHaveBeenBilled: boolean;
  readonly isOfAccount: boolean;
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
    this.mayHaveBeenBilled = this.usage === null && (options.mayHaveBeenBilled ?? this.#wentUnanswered());
    this.isOfAccount = options.isOfAccount ?? false;
    this.hint = options.hint;
  }

  #wentUnanswered(): boolean {
    if (this.disposition === "throttled" || this.disposition === "run") return false;
    if (this.kind === "bad_response" || this.httpStatus === 200) return true;
    if (this.httpStatus !== null) return false;
    return this.kind === "timeout" || (this.kind === "network" && !NOT_SENT.has(this.code));
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
