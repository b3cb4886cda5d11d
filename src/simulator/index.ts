/**
 * A model server for tests and for trying promptmill without a key: it behaves as Model Studio does, by
 * both of its protocols, and misbehaves on demand.
 *
 * Everything it does depends on its options and on the request alone: whether the n-th call of a request
 * meets a fault, how long it takes and what it answers is the same in every run with the same seed, in
 * whatever order calls arrive. `plannedFault` and `requestFingerprint` let a test compute it beforehand.
 *
 * A prompt can steer its own call by markers in its text, several or none, in any message:
 *
 *     [[sim:fault=server_error;times=2]]   the first 2 calls of this request meet the fault (all without times)
 *     [[sim:usage=grok;finish=error]]      what is odd about the answer; body and text likewise
 *     [[sim:delay=500]] [[sim:answer=…]]   and more: docs/simulator.md lists the keys and all names
 *
 * `answer`, `reasoning` and `message` take the rest of their marker, semicolons included, so they come
 * last. A marker that cannot be read is refused with 400 and the reason.
 *
 * Beside the model's paths it serves GET /health, GET /__calls (`?detail=1` for each request), POST
 * /__calls (for the request in its body) and POST /__reset.
 */
export { type CallCounts, type RequestCalls } from "./call-log.js";
export { faultHelp, parseErrorMix } from "./error-mix.js";
export {
  type AnswerFault,
  type ErrorMix,
  isPermanentFault,
  plannedFault,
  plannedOddities,
  type SimulatedFault,
  simulatedFaults,
  type TransportFault,
} from "./faults.js";
export { type Latency } from "./latency.js";
export { type BurstRule, type RateLimits } from "./rate-limiter.js";
export { drawUniform, requestFingerprint } from "./request-fingerprint.js";
export { type SimulatorOptions } from "./simulator-options.js";
export { type Simulator, startSimulator } from "./start-simulator.js";
export { estimateTokens } from "./token-estimate.js";
export { type VendorError, type VendorErrorName, vendorErrors } from "./vendor-errors.js";
