import type { RowErrorKind } from "../../types.js";
import type { Vendor } from "../endpoint.js";
import { ERROR_RULES, STATUS_RULES } from "./error-table.js";
import type { Advice, ErrorRule } from "./error-table.js";
import type { Disposition } from "../provider.js";
import type { VendorError } from "./vendor-error.js";

export interface Classification {
  readonly disposition: Disposition;
  readonly kind: RowErrorKind;
  /** The vendor's code, the more telling one where two are nested, else `http_<status>`, or `error_body` under 200. */
  readonly code: string;
  readonly advice: Advice | null;
  /** false: by status only; worth a line in the log. */
  readonly known: boolean;
}

/** `<400> InternalError.Algo.InvalidParameter: text`: the service passes an inner error on in a message. */
const NESTED = /^<(\d{3})>\s*([A-Za-z][\w.]*)/;

/**
 * Says what an error means for the row and the run, by message, code and status in this order of weight.
 * The rules are data, in `error-table.ts`.
 */
export function classifyError(error: VendorError, vendor: Vendor): Classification {
  const nested = NESTED.exec(error.message);
  if (nested !== null) {
    const inner = { ...error, status: Number(nested[1]), code: nested[2] ?? null };
    const rule = findRule(inner, vendor);
    if (rule !== undefined) return classification(rule, inner.code, inner.status, true);
  }
  const rule = findRule(error, vendor);
  if (rule !== undefined) return classification(rule, error.code, error.status, true);
  return classification(ruleOfStatus(error.status), error.code, error.status, false);
}

/** The model was asked for on the other native service. Source: error messages page, "url error". */
export function isWrongFamily(error: VendorError): boolean {
  return error.status === 400 && /\burl error\b/i.test(error.message);
}

/** The model wants to be streamed. Source: error messages page, three wordings for it. */
export function isStreamOnly(error: VendorError): boolean {
  return (
    error.status === 400 &&
    /only supports? stream|does not support http call|false for non-streaming calls/i.test(error.message)
  );
}

function findRule(error: VendorError, vendor: Vendor): ErrorRule | undefined {
  const code = error.code?.toLowerCase() ?? "";
  return ERROR_RULES.find(
    (rule) =>
      (rule.vendor === undefined || rule.vendor === vendor) &&
      // An error inside a 200 has no status of its own: its code must be enough.
      (rule.status === undefined || error.status === 200 || rule.status.includes(error.status)) &&
      (rule.message === undefined || rule.message.test(error.message)) &&
      (rule.codes === undefined || rule.codes.some((pattern) => matchesCode(pattern, code))),
  );
}

function matchesCode(pattern: string, code: string): boolean {
  return pattern.endsWith("*") ? code.startsWith(pattern.slice(0, -1)) : code === pattern;
}

function ruleOfStatus(status: number): ErrorRule {
  const exact = STATUS_RULES.find((rule) => rule.status?.includes(status));
  if (exact !== undefined) return exact;
  if (status >= 300 && status < 400) {
    return {
      disposition: "run",
      kind: "invalid_request",
      advice: "redirect",
      source: "redirects are not followed",
    };
  }
  if (status >= 400 && status < 500)
    return { disposition: "row", kind: "invalid_request", source: "RFC 9110" };
  return { disposition: "retryable", kind: "server", source: "RFC 9110" };
}

function classification(
  rule: ErrorRule,
  code: string | null,
  status: number,
  known: boolean,
): Classification {
  return {
    disposition: rule.disposition,
    kind: rule.kind,
    code: code ?? (status === 200 ? "error_body" : `http_${status}`),
    advice: rule.advice ?? null,
    known,
  };
}
