import { internalErrorCode, invalidParameterCode, type VendorError, vendorError } from "./vendor-error.js";

/** Errors that another attempt may not meet: throttling first, then the server's own trouble. */
export const transientErrors = {
  rate_limit: vendorError(
    429,
    "limit_requests",
    "Throttling.RateQuota",
    "You exceeded your current requests list.",
  ),
  burst_rate: vendorError(
    429,
    "limit_burst_rate",
    "Throttling.BurstRate",
    "Request rate increased too quickly. To ensure system stability, please adjust your client logic to scale requests more smoothly over time.",
  ),
  token_quota: vendorError(
    429,
    "insufficient_quota",
    "Throttling.AllocationQuota",
    "Allocated quota exceeded, please increase your quota limit.",
  ),
  current_quota: vendorError(
    429,
    "insufficient_quota",
    "Throttling.AllocationQuota",
    "You exceeded your current quota, please check your plan and billing details.",
  ),
  throttling: vendorError(429, "Throttling", "Throttling", "Requests throttling triggered."),
  server_error: vendorError(
    500,
    internalErrorCode,
    "InternalError",
    "An internal error has occured, please try again later or contact service support.",
  ),
  algorithm_error: vendorError(
    500,
    internalErrorCode,
    "InternalError.Algo",
    "<500> InternalError.Algo: inference internal error.",
  ),
  internal_timeout: vendorError(
    500,
    "InternalError.Timeout",
    "InternalError.Timeout",
    "An internal timeout error has occured during execution, please try again later or contact service support.",
  ),
  system_error: vendorError(
    500,
    "SystemError",
    "SystemError",
    "An system error has occured, please try again later.",
  ),
  model_service_failed: vendorError(
    500,
    "ModelServiceFailed",
    "ModelServiceFailed",
    "Failed to request model service.",
  ),
  model_serving_error: vendorError(
    503,
    "ModelServingError",
    "ModelServingError",
    "Too many requests. Your requests are being throttled due to system capacity limits. Please try again later.",
  ),
  capacity: vendorError(
    503,
    "ServiceUnavailable",
    "ServiceUnavailable",
    "<503> InternalError.Algo: An error occurred in model serving, error message is: [Too many requests. Your requests are being throttled due to system capacity limits. Please try again later.]",
  ),
  model_unavailable: vendorError(
    503,
    "ModelUnavailable",
    "ModelUnavailable",
    "Model is unavailable, please try again later.",
  ),
  request_timeout: vendorError(
    500,
    "RequestTimeOut",
    "RequestTimeOut",
    "Request timed out, please try again later.",
  ),
  request_timeout_408: vendorError(
    408,
    "RequestTimeOut",
    "RequestTimeOut",
    "Request timed out, please try again later.",
  ),
  media_timeout: vendorError(
    400,
    "InvalidURL.Timeout",
    "InvalidURL.Timeout",
    "Download https://example.com/picture.png timeout, please check network connection.",
  ),
  media_inspection_timeout: vendorError(
    400,
    invalidParameterCode,
    "InvalidParameter.DataInspection",
    "Download the media resource timed out during the data inspection process.",
  ),
  file_parsing: vendorError(
    400,
    invalidParameterCode,
    "InvalidParameter",
    "File parsing in progress, please try again later.",
  ),
} as const satisfies Record<string, VendorError>;
