import { internalErrorCode, invalidParameterCode, type VendorError, vendorError } from "./vendor-error.js";

/** Errors that the same request meets every time, some of them in spite of a 500. */
export const requestErrors = {
  invalid_parameter: vendorError(
    400,
    invalidParameterCode,
    "InvalidParameter",
    "Required parameter(s) missing or invalid, please check the request parameters.",
  ),
  context_length: vendorError(
    400,
    invalidParameterCode,
    "InvalidParameter",
    "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
  ),
  algorithm_invalid_parameter: vendorError(
    400,
    "InternalError.Algo.InvalidParameter",
    "InternalError.Algo.InvalidParameter",
    "The provided messages input is invalid.",
  ),
  content_inspection: vendorError(
    400,
    "data_inspection_failed",
    "DataInspectionFailed",
    "Input or output data may contain inappropriate content.",
  ),
  content_inspection_in_message: vendorError(
    400,
    invalidParameterCode,
    "InvalidParameter",
    "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content.",
  ),
  intellectual_property: vendorError(
    400,
    "IPInfringementSuspect",
    "IPInfringementSuspect",
    "Input data is suspected of being involved in IP infringement.",
  ),
  faq_rule: vendorError(
    400,
    "FaqRuleBlocked",
    "FaqRuleBlocked",
    "Input or output data is blocked by faq rule.",
  ),
  custom_role: vendorError(
    400,
    "CustomRoleBlocked",
    "CustomRoleBlocked",
    "Input or output data may contain inappropriate content with custom rule.",
  ),
  invalid_url: vendorError(
    400,
    "InvalidURL",
    "InvalidURL",
    "Required URL is missing or invalid, please check the request URL.",
  ),
  invalid_file: vendorError(
    400,
    "InvalidFile.Format",
    "InvalidFile.Format",
    "The format of the file is not supported.",
  ),
  bad_request: vendorError(
    400,
    "BadRequest.EmptyInput",
    "BadRequest.EmptyInput",
    "Required input parameter missing from request.",
  ),
  too_large: vendorError(400, "BadRequest.TooLarge", "BadRequest.TooLarge", "Payload Too Large."),
  empty_content: vendorError(
    400,
    "ServiceUnavailableError",
    "ServiceUnavailableError",
    "Role must be user or assistant and Content length must be greater than 0.",
  ),
  role_error: vendorError(
    500,
    internalErrorCode,
    "InternalError.Algo",
    "<500> InternalError.Algo: Role must be in [user, assistant]",
  ),
  index_error: vendorError(
    500,
    internalErrorCode,
    "InternalError.Algo",
    "<500> InternalError.Algo: list index out of range",
  ),
  missing_content_length: vendorError(
    500,
    internalErrorCode,
    "InternalError.Algo",
    "<500> InternalError.Algo: Missing Content-Length of multimodal url.",
  ),
} as const satisfies Record<string, VendorError>;
