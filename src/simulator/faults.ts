import { UsageError } from "../errors.js";
import { drawUniform } from "./request-fingerprint.js";
import { isRequestError, isVendorErrorName, vendorErrors, type VendorErrorName } from "./vendor-errors.js";

/**
 * What can go wrong with the connection or the body instead of an orderly refusal.
 *
 * - connection_reset: the socket is reset before anything is answered
 * - hang: the call is never answered
 * - slow_body: a good answer, its body trickling in over `slowBodyMs`
 * - malformed_json, empty_body, truncated_body: 200, and a body that cannot be read; billed
 * - reset_after_answer: the answer was made (and billed), and the socket is reset instead of sending it
 * - bad_gateway: 502 with an HTML page, as a proxy answers
 * - stream_error, stream_throttled, stalled_stream: half a stream, then an error event, a throttling
 *   event, or silence; on a call that is not streamed: server_error, token_quota and hang
 */
export const transportFaults = [
  "connection_reset",
  "hang",
  "slow_body",
  "malformed_json",
  "empty_body",
  "truncated_body",
  "reset_after_answer",
  "bad_gateway",
  "stream_error",
  "stream_throttled",
  "stalled_stream",
] as const;

/**
 * What can be wrong with an answer that arrives well.
 *
 * - truncated_answer: cut in half, finish reason `length`
 * - content_filter: finish reason `content_filter`, no text
 * - empty_answer: finish reason `stop`, no text
 * - invalid_json_output: structured output that does not fit what was asked
 * - fenced_json_output: structured output inside a Markdown code fence
 */
export const answerFaults = [
  "truncated_answer",
  "content_filter",
  "empty_answer",
  "invalid_json_output",
  "fenced_json_output",
] as const;

export type TransportFault = (typeof transportFaults)[number];
export type AnswerFault = (typeof answerFaults)[number];
export type SimulatedFault = VendorErrorName | TransportFault | AnswerFault;

/** Every fault by name, in the order in which a draw goes through them. */
export const simulatedFaults: readonly SimulatedFault[] = [
  ...(Object.keys(vendorErrors) as VendorErrorName[]),
  ...transportFaults,
  ...answerFaults,
];

/** Probabilities in [0, 1] by fault; what is not named does not happen. */
export type ErrorMix = Partial<Readonly<Record<SimulatedFault, number>>>;

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
  return (transportFaults as readonly string[]).includes(name);
}

export function isAnswerFault(name: string): name is AnswerFault {
  return (answerFaults as readonly string[]).includes(name);
}

/**
 * Reads `name=probability,…`, as the command line takes it: `rate_limit=0.1,server_error=0.05`.
 *
 * Probabilities are in [0, 1] and add up to at most 1. Throws UsageError for an unknown name (listing
 * the known ones), a name given twice and a number out of range.
 */
export function parseErrorMix(text: string): ErrorMix {
  const mix: Partial<Record<SimulatedFault, number>> = {};
  for (const entry of text.split(",").filter((part) => part.trim() !== "")) {
    const [name = "", value, ...rest] = entry.split("=").map((part) => part.trim());
    const probability = value === undefined || value === "" || rest.length > 0 ? Number.NaN : Number(value);
    if (!isSimulatedFault(name)) {
      throw new UsageError(`Unknown simulated fault ${JSON.stringify(name)} in the error mix.`, {
        code: "unknown_simulated_fault",
        hint: `Known faults: ${simulatedFaults.join(", ")}.`,
      });
    }
    if (mix[name] !== undefined) {
      throw new UsageError(`The error mix names ${name} twice.`, {
        code: "duplicate_simulated_fault",
        hint: "Name each fault once, as in rate_limit=0.1,server_error=0.05.",
      });
    }
    mix[name] = probability;
  }
  checkErrorMix(mix);
  return mix;
}

/** Throws UsageError when a probability is outside [0, 1] or all together exceed 1. */
export function checkErrorMix(mix: ErrorMix): void {
  let total = 0;
  for (const fault of simulatedFaults) {
    const probability = mix[fault];
    if (probability === undefined) continue;
    if (!(probability >= 0 && probability <= 1)) {
      throw new UsageError(
        `The probability of ${fault} must be a number from 0 to 1, received ${probability}.`,
        {
          code: "invalid_fault_probability",
          hint: "Write the error mix as rate_limit=0.1,server_error=0.05.",
        },
      );
    }
    total += probability;
  }
  if (total > 1 + 1e-9) {
    throw new UsageError(`The probabilities of the error mix add up to ${total}, which is more than 1.`, {
      code: "invalid_fault_probability",
      hint: "Lower them: what is left of 1 is the share of calls that are answered well.",
    });
  }
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
  const permanent = pick(errors, true, drawUniform(seed, fingerprint, permanentSalt));
  return permanent ?? pick(errors, false, drawUniform(seed, fingerprint, callNumber * 8));
}

function pick(errors: ErrorMix, permanent: boolean, draw: number): SimulatedFault | null {
  let threshold = 0;
  for (const fault of simulatedFaults) {
    const probability = errors[fault];
    if (probability === undefined || probability === 0 || isPermanentFault(fault) !== permanent) continue;
    threshold += probability;
    if (draw < threshold) return fault;
  }
  return null;
}
