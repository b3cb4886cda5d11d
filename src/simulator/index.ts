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
 *     [[sim:status=418;code=X;message=…]]  an error of the test's own making, also with times
 *     [[sim:retry_after=2]]                seconds in a Retry-After header of the refusal
 *     [[sim:delay=500]]                    milliseconds more before the answer or the fault
 *     [[sim:finish=length]]                the finish reason; length also cuts the answer in half
 *     [[sim:answer=…]]                     the answer, to the end of the marker
 *     [[sim:reasoning=…]]                  the thinking, to the end of the marker
 *     [[sim:input_tokens=9;output_tokens=5;cached=3;cache_write=1]]   usage as told
 *     [[sim:usage=none]]                   no usage; plain: usage without its details
 *     [[sim:fragment=7]]                   a stream written 7 bytes at a time
 *
 * `answer`, `reasoning` and `message` take the rest of their marker, semicolons included, so they come
 * last. A marker that cannot be read is refused with 400 and the reason. Faults by name: `simulatedFaults`.
 *
 * Beside the model's paths it serves GET /health, GET /__calls (`?detail=1` for each request) and POST
 * /__reset.
 */
export { type CallCounts, type RequestCalls } from "./call-log.js";
export {
  type AnswerFault,
  type ErrorMix,
  isPermanentFault,
  parseErrorMix,
  plannedFault,
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
