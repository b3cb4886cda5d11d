import type { RowErrorKind, Usage } from "../../types.js";
import { objectOf, stringOf } from "../json-value.js";
import { ProviderError } from "../provider.js";
import { safeText } from "../redact.js";
import { EncodingError } from "./content-encoding.js";

/** Our own deadline, told apart from what undici and the system report. */
export class CallTimeout extends Error {
  readonly code = "PROMPTMILL_TIMEOUT";

  constructor(timeoutMs: number, streamed: boolean) {
    super(streamed ? `no data for ${timeoutMs} ms` : `no answer within ${timeoutMs} ms`);
  }
}

/** The answer grew beyond what is taken in. */
export class AnswerTooLarge extends Error {
  readonly code = "PROMPTMILL_TOO_LARGE";
}

interface Failure {
  readonly kind: RowErrorKind;
  readonly code: string;
  readonly says: string;
}

const REFUSED: Failure = { kind: "network", code: "connection_refused", says: "refused the connection" };
const RESET: Failure = { kind: "network", code: "connection_reset", says: "closed the connection" };
const UNKNOWN_HOST: Failure = { kind: "network", code: "host_not_found", says: "is not known to DNS" };
const UNREACHABLE: Failure = { kind: "network", code: "host_unreachable", says: "cannot be reached" };
const CONNECT: Failure = {
  kind: "network",
  code: "connect_timeout",
  says: "did not accept the connection in time",
};
const TIMEOUT: Failure = { kind: "timeout", code: "timeout", says: "did not answer in time" };
const TLS: Failure = { kind: "network", code: "tls_error", says: "could not agree on a secure connection" };
const NOT_HTTP: Failure = {
  kind: "bad_response",
  code: "invalid_http",
  says: "sent something that is not HTTP",
};
const TOO_LARGE: Failure = {
  kind: "bad_response",
  code: "response_too_large",
  says: "sent more than the limit for an answer",
};
const ENCODED: Failure = {
  kind: "bad_response",
  code: "unreadable_encoding",
  says: "sent an answer in a content-encoding that cannot be read",
};
const PROXY: Failure = { kind: "network", code: "proxy_refused", says: "was not reached: the proxy refused" };
const CLOSED: Failure = {
  kind: "network",
  code: "provider_closed",
  says: "was called while its connections were closing",
};
const OTHER: Failure = { kind: "network", code: "network_error", says: "could not be called" };

/** By the code of the system, of TLS or of undici. */
const FAILURES: Readonly<Record<string, Failure>> = {
  ECONNREFUSED: REFUSED,
  ECONNRESET: RESET,
  ECONNABORTED: RESET,
  EPIPE: RESET,
  UND_ERR_SOCKET: RESET,
  UND_ERR_INFO: RESET,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  EADDRNOTAVAIL: UNREACHABLE,
  ETIMEDOUT: CONNECT,
  UND_ERR_CONNECT_TIMEOUT: CONNECT,
  PROMPTMILL_TIMEOUT: TIMEOUT,
  PROMPTMILL_TOO_LARGE: TOO_LARGE,
  UNSUPPORTED_ENCODING: ENCODED,
  MALFORMED_ENCODING: ENCODED,
  UND_ERR_ABORTED: PROXY,
  UND_ERR_HEADERS_TIMEOUT: TIMEOUT,
  UND_ERR_BODY_TIMEOUT: TIMEOUT,
  HTTP_PARSER: NOT_HTTP,
  UND_ERR_HEADERS_OVERFLOW: NOT_HTTP,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: RESET,
  UND_ERR_DESTROYED: CLOSED,
  UND_ERR_CLOSED: CLOSED,
  EPROTO: TLS,
  DEPTH_ZERO_SELF_SIGNED_CERT: TLS,
  SELF_SIGNED_CERT_IN_CHAIN: TLS,
};

/** What is known of the call that failed. */
export interface BrokenCall {
  /** Where it went, in words. */
  readonly where: string;
  /** What a broken stream had already been billed. */
  readonly usage: Usage | null;
  /** Some of the request may have reached the server. */
  readonly isSent: boolean;
}

/**
 * Names what went wrong between us and the server. Always worth another attempt: networks recover, and
 * the run's own limits end what does not.
 */
export function networkError(cause: unknown, { where, usage, isSent }: BrokenCall): ProviderError {
  const code = codeOf(cause);
  const named = FAILURES[code] ?? byPrefix(code);
  // The system reports an unreachable host also to a connection that once was there.
  const failure = isSent && (named === CONNECT || named === UNREACHABLE) ? RESET : named;
  const isOurs = cause instanceof CallTimeout || cause instanceof EncodingError;
  const detail = isOurs || failure === PROXY ? messageOf(cause) : code;
  return new ProviderError(`${where} ${failure.says}${detail === "" ? "" : ` (${safeText(detail, null)})`}`, {
    disposition: "retryable",
    kind: failure.kind,
    code: failure.code,
    usage,
    mayHaveBeenBilled: isSent,
    cause,
  });
}

function byPrefix(code: string): Failure {
  if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|HOSTNAME_MISMATCH)/.test(code)) return TLS;
  return OTHER;
}

function codeOf(cause: unknown): string {
  // undici's parser errors have a code for some violations only.
  if (cause instanceof Error && cause.name === "HTTPParserError") return "HTTP_PARSER";
  return stringOf(objectOf(cause)?.["code"]) ?? "";
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : "";
}
