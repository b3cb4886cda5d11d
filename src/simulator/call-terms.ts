import type { OutgoingHttpHeaders } from "node:http";

import { invalidParameter } from "./error-body.js";
import type { SimulatedFault } from "./faults.js";
import type { Markers } from "./markers.js";
import { type VendorError, vendorErrors } from "./vendor-errors.js";

/** What a fault of a stream is on a call that is not streamed. */
export const unstreamed: Partial<Readonly<Record<SimulatedFault, SimulatedFault>>> = {
  stream_error: "server_error",
  stream_throttled: "token_quota",
  stalled_stream: "hang",
};

/** The body names no model. */
export const missingModel: VendorError = {
  ...invalidParameter("you must provide a model parameter"),
  compatibleCode: "invalid_request_error",
  nativeCode: "BadRequest.EmptyModel",
};

export function unknownModel(model: string): VendorError {
  return {
    ...vendorErrors.model_not_found,
    message: `The model \`${model}\` does not exist or you do not have access to it.`,
  };
}

/** The error that a prompt asked for by `status`, `code` and `message`. */
export function markerError(markers: Markers): VendorError {
  const code = markers.code ?? "SimulatedError";
  return {
    status: markers.status ?? 500,
    compatibleCode: code,
    compatibleType: code,
    nativeCode: code,
    message: markers.message ?? "An error that a prompt asked the simulator for.",
  };
}

export function jsonHeaders(requestId: string): OutgoingHttpHeaders {
  return { "content-type": "application/json", "x-request-id": requestId };
}

/** In the shape of a UUID: the request's fingerprint, then the call's number. */
export function requestIdentifier(fingerprint: string, callNumber: number): string {
  const number = callNumber.toString(16).padStart(12, "0");
  return `${fingerprint.slice(0, 8)}-${fingerprint.slice(8, 12)}-9${fingerprint.slice(12, 15)}-8${fingerprint.slice(15, 18)}-${number}`;
}

/** Numbers from here on are for calls that were throttled. */
export const throttledNumber = 0x8000_0000;
