import type { OutgoingHttpHeaders } from "node:http";

import type { ChatRequest } from "./chat-request.js";
import { invalidParameter } from "./error-body.js";
import type { SimulatedFault } from "./faults.js";
import type { Markers } from "./markers.js";
import { type VendorError, vendorErrors } from "./vendor-errors.js";

/** What a fault of a stream is on a call that is not streamed. */
export const unstreamed: Partial<Readonly<Record<SimulatedFault, SimulatedFault>>> = {
  stream_error: "server_error",
  stream_error_line: "server_error",
  stream_throttled: "token_quota",
  stalled_stream: "hang",
};

/** The body is no JSON object. */
export const unreadableBody = invalidParameter(
  "Required body invalid, please check the request body format.",
);

/** The body names no model. */
export const missingModel: VendorError = {
  ...invalidParameter("you must provide a model parameter"),
  compatibleCode: "invalid_request_error",
  nativeCode: "BadRequest.EmptyModel",
};

/**
 * 404 with the name by the compatible path; 400 `InvalidParameter` by the native one, whatever the vendor's
 * table says of ModelNotFound: so in bodies quoted in public.
 */
export function unknownModel({ model, protocol }: ChatRequest): VendorError {
  return protocol === "dashscope"
    ? invalidParameter("Model not exist.")
    : {
        ...vendorErrors.model_not_found,
        message: `The model \`${model}\` does not exist or you do not have access to it.`,
      };
}

/** Native wording as in the vendor's own samples; that of the compatible path is OpenAI's. */
export const missingKey: VendorError = {
  ...vendorErrors.invalid_api_key,
  compatibleCode: "",
  message:
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
  nativeMessage: "No API-key provided.",
};

/** The error that a prompt asked for by `status`, `code` and `message`. */
export function markerError(markers: Markers): VendorError {
  const { status = 500, code = "SimulatedError", message = "An error that a prompt asked for." } = markers;
  return {
    status,
    compatibleCode: code,
    compatibleType: code,
    nativeCode: code,
    message,
    nativeMessage: message,
  };
}

export function jsonHeaders(requestId: string): OutgoingHttpHeaders {
  return { "content-type": "application/json", "x-request-id": requestId };
}

/** How long the client lets the server hold a call back; the vendor takes 3 to 120 seconds. */
export function waitTimeoutMs(header: string | null): number {
  const seconds = Number(header);
  return seconds >= 3 && seconds <= 120 ? seconds * 1_000 : 0;
}

/** In the shape of a UUID: the request's fingerprint, then the call's number. */
export function requestIdentifier(fingerprint: string, callNumber: number): string {
  const number = callNumber.toString(16).padStart(12, "0");
  return `${fingerprint.slice(0, 8)}-${fingerprint.slice(8, 12)}-9${fingerprint.slice(12, 15)}-8${fingerprint.slice(15, 18)}-${number}`;
}

/** Numbers from here on are for calls that were throttled. */
export const throttledNumber = 0x8000_0000;
