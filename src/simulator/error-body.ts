import type { Protocol } from "../types.js";
import { type VendorError, vendorErrors } from "./vendor-errors.js";

/** A refused parameter: 400 `invalid_parameter_error`, native `InvalidParameter`, with this wording. */
export function invalidParameter(message: string): VendorError {
  return { ...vendorErrors.invalid_parameter, message, nativeMessage: message };
}

/** The same, with the prefix that errors of the inference layer carry in both protocols. */
export function refusedByModel(message: string): VendorError {
  return invalidParameter(`<400> InternalError.Algo.InvalidParameter: ${message}`);
}

/**
 * The body of an error answer. Shapes: native `{code, message, request_id}`; compatible
 * `{error: {message, type, param, code}, id, request_id}`, as printed in public issues.
 */
export function errorBody(error: VendorError, protocol: Protocol, requestId: string): string {
  return JSON.stringify(
    protocol === "dashscope"
      ? { code: error.nativeCode, message: error.nativeMessage, request_id: requestId }
      : {
          error: {
            message: error.message,
            type: error.compatibleType,
            param: null,
            code: error.compatibleCode || null,
          },
          id: `chatcmpl-${requestId}`,
          request_id: requestId,
        },
  );
}

/** The code that the protocol's body carries, its status where that has none. */
export function errorCode(error: VendorError, protocol: Protocol): string {
  return protocol === "dashscope" ? error.nativeCode : error.compatibleCode || String(error.status);
}
