/** An error as Model Studio words it, in both protocols. */
export interface VendorError {
  readonly status: number;
  /** `error.code` on the OpenAI-compatible path. */
  readonly compatibleCode: string;
  /** `error.type` on the OpenAI-compatible path. */
  readonly compatibleType: string;
  /** `code` on the native path. */
  readonly nativeCode: string;
  readonly message: string;
}

/** `compatible` is code and type of the compatible path, or one word for both. */
export function vendorError(
  status: number,
  compatible: string | readonly [code: string, type: string],
  nativeCode: string,
  message: string,
): VendorError {
  const [compatibleCode, compatibleType] =
    typeof compatible === "string" ? [compatible, compatible] : compatible;
  return { status, compatibleCode, compatibleType, nativeCode, message };
}

/** Code and type of a refused parameter on the compatible path. */
export const invalidParameterCode = ["invalid_parameter_error", "invalid_request_error"] as const;
/** Code and type of most 500s on the compatible path. */
export const internalErrorCode = "internal_server_error";
