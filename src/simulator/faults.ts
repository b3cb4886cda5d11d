import { drawUniform } from "./request-fingerprint.js";
import { type Oddities, type Oddity, type OddGroup, oddGroups } from "./oddities.js";
import { isRequestError, isVendorErrorName, vendorErrors, type VendorErrorName } from "./vendor-errors.js";

/** What can go wrong with the connection or the body instead of an orderly refusal. */
export const transportFaults = {
  connection_reset: "the socket is reset before anything is answered",
  hang: "the call is never answered",
  pings: "never answered either, but the connection is kept alive: comments in a stream, else white space",
  slow_body: "a good answer, its body trickling in over some seconds",
  malformed_json: "200, and a body that cannot be read; billed",
  empty_body: "200 and no body; billed",
  truncated_body: "200, and a connection that is reset in the middle of the body; billed",
  reset_after_answer: "the answer is made and billed, and the socket is reset instead of sending it",
  stream_error: "half a stream, then an error event; where not streamed: server_error",
  stream_error_line: "half a stream, then an error: line; where not streamed: server_error",
  stream_throttled: "half a stream, then a throttling event; where not streamed: token_quota",
  stalled_stream: "half a stream, then silence; where not streamed: hang",
  bad_gateway: "502 with a page of HTML, as a proxy answers",
  html_403: "403 with a page of HTML, as a firewall answers",
  html_200: "200 with a page of HTML: the address is that of a website",
  not_found_text: "404 in plain text, as of a path that no route serves",
  moderation_403: "403 because the prompt was flagged, with a numeric code, as a router says it",
  unprocessable_422: "422 with a list of what is wrong, as FastAPI says it",
  loading_503: "503 with a numeric code: the model is being loaded",
  retry_in_message: "429 that tells the wait by its message and by x-ratelimit-reset-requests",
  error_string_200: "200, and the error is a string",
  error_object_200: "200, and the whole body is the error, with a numeric code",
  error_inside_200: "200, and an error object with a numeric code where choices should be",
  redirect: "308 to another path",
} as const;

/** What can be wrong with an answer that arrives well. */
export const answerFaults = {
  truncated_answer: "cut in half, finish reason length",
  content_filter: "finish reason content_filter, no text",
  empty_answer: "finish reason stop, no text",
  invalid_json_output: "structured output that does not fit what was asked",
  fenced_json_output: "structured output inside a Markdown code fence",
} as const;

export type TransportFault = keyof typeof transportFaults;
export type AnswerFault = keyof typeof answerFaults;
export type SimulatedFault = VendorErrorName | TransportFault | AnswerFault;

/** Every fault by name. */
export const simulatedFaults = [
  ...Object.keys(vendorErrors),
  ...Object.keys(transportFaults),
  ...Object.keys(answerFaults),
] as readonly SimulatedFault[];

/** Probabilities in [0, 1] by fault and oddity; what is not named does not happen. */
export type ErrorMix = Partial<Readonly<Record<SimulatedFault | Oddity, number>>>;

/** A request drawn for one of these meets it at every call; all other faults are drawn for each call. */
export function isPermanentFault(fault: SimulatedFault): boolean {
  return (
    isRequestError(fault) || ["truncated_answer", "content_filter", "fenced_json_output"].includes(fault)
  );
}

export function isSimulatedFault(name: string): name is SimulatedFault {
  return isVendorErrorName(name) || isTransportFault(name) || isAnswerFault(name);
}

export function isTransportFault(name: string): name is TransportFault {
  return Object.hasOwn(transportFaults, name);
}

export function isAnswerFault(name: string): name is AnswerFault {
  return Object.hasOwn(answerFaults, name);
}

const permanentSalt = -1;

/**
 * Which fault the `callNumber`-th admitted call (from 1) of a request meets, or null.
 *
 * Depends only on its arguments, never on the order in which calls arrive, so that a test can compute
 * what a run must have met. A permanent fault is drawn once per request; transient ones per call, among
 * the requests without a permanent one.
 */
export function plannedFault(
  errors: ErrorMix,
  seed: number,
  fingerprint: string,
  callNumber: number,
): SimulatedFault | null {
  const faults = Object.keys(errors).filter(isSimulatedFault);
  const permanent = faults.filter(isPermanentFault);
  const transient = faults.filter((fault) => !isPermanentFault(fault));
  return (
    pick(errors, permanent, drawUniform(seed, fingerprint, permanentSalt)) ??
    pick(errors, transient, drawUniform(seed, fingerprint, callNumber * 8))
  );
}

/** Likewise, what is odd about the answer: of each group at most one, drawn for each call. */
export function plannedOddities(
  errors: ErrorMix,
  seed: number,
  fingerprint: string,
  callNumber: number,
): Oddities {
  const planned: Partial<Record<OddGroup, string>> = {};
  for (const [index, group] of oddGroups.entries()) {
    const names = (Object.keys(errors) as Oddity[]).filter((name) => name.startsWith(`${group}:`));
    const oddity = pick(errors, names, drawUniform(seed, fingerprint, callNumber * 8 + 4 + index));
    if (oddity !== null) planned[group] = oddity.slice(group.length + 1);
  }
  return planned;
}

function pick<Name extends keyof ErrorMix>(
  errors: ErrorMix,
  names: readonly Name[],
  draw: number,
): Name | null {
  let threshold = 0;
  for (const name of names) {
    threshold += errors[name] ?? 0;
    if (draw < threshold) return name;
  }
  return null;
}
