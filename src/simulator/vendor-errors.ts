/** An error as Model Studio words it, in both protocols. */
export interface VendorError {
  readonly status: number;
  /** `error.code` on the OpenAI-compatible path; "" is sent as null. */
  readonly compatibleCode: string;
  /** `error.type` on the OpenAI-compatible path. */
  readonly compatibleType: string;
  /** `code` on the native path. */
  readonly nativeCode: string;
  readonly message: string;
  readonly nativeMessage: string;
}

// Each line: status | native code | code of the compatible path, "=" for the same | message.

/** Errors that another attempt may not meet: throttling first, then the server's own trouble. */
const transientErrors = {
  rate_limit: "429 | Throttling.RateQuota | limit_requests | You exceeded your current requests list.",
  burst_rate:
    "429 | Throttling.BurstRate | limit_burst_rate | Request rate increased too quickly. To ensure system stability, please adjust your client logic to scale requests more smoothly over time.",
  token_quota:
    "429 | Throttling.AllocationQuota | insufficient_quota | Allocated quota exceeded, please increase your quota limit.",
  current_quota:
    "429 | Throttling.AllocationQuota | insufficient_quota | You exceeded your current quota, please check your plan and billing details.",
  throttling: "429 | Throttling | = | Requests throttling triggered.",
  server_error:
    "500 | InternalError | internal_server_error | An internal error has occured, please try again later or contact service support.",
  algorithm_error:
    "500 | InternalError.Algo | internal_server_error | <500> InternalError.Algo: inference internal error.",
  internal_timeout:
    "500 | InternalError.Timeout | = | An internal timeout error has occured during execution, please try again later or contact service support.",
  system_error: "500 | SystemError | = | An system error has occured, please try again later.",
  model_service_failed: "500 | ModelServiceFailed | = | Failed to request model service.",
  model_serving_error:
    "503 | ModelServingError | = | Too many requests. Your requests are being throttled due to system capacity limits. Please try again later.",
  capacity:
    "503 | ServiceUnavailable | = | <503> InternalError.Algo: An error occurred in model serving, error message is: [Too many requests. Your requests are being throttled due to system capacity limits. Please try again later.]",
  model_unavailable: "503 | ModelUnavailable | = | Model is unavailable, please try again later.",
  request_timeout: "500 | RequestTimeOut | = | Request timed out, please try again later.",
  request_timeout_408: "408 | RequestTimeOut | = | Request timed out, please try again later.",
  media_timeout:
    "400 | InvalidURL.Timeout | = | Download https://example.com/picture.png timeout, please check network connection.",
  media_inspection_timeout:
    "400 | InvalidParameter.DataInspection | invalid_parameter_error | Download the media resource timed out during the data inspection process.",
  file_parsing:
    "400 | InvalidParameter | invalid_parameter_error | File parsing in progress, please try again later.",
};

/** Errors that the same request meets every time, some of them in spite of a 500. */
const requestErrors = {
  invalid_parameter:
    "400 | InvalidParameter | invalid_parameter_error | Required parameter(s) missing or invalid, please check the request parameters.",
  context_length:
    "400 | InvalidParameter | invalid_parameter_error | <400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]",
  algorithm_invalid_parameter:
    "400 | InternalError.Algo.InvalidParameter | = | The provided messages input is invalid.",
  content_inspection:
    "400 | DataInspectionFailed | data_inspection_failed | Input or output data may contain inappropriate content.",
  content_inspection_in_message:
    "400 | InvalidParameter | invalid_parameter_error | <400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content.",
  intellectual_property:
    "400 | IPInfringementSuspect | = | Input data is suspected of being involved in IP infringement.",
  faq_rule: "400 | FaqRuleBlocked | = | Input or output data is blocked by faq rule.",
  custom_role:
    "400 | CustomRoleBlocked | = | Input or output data may contain inappropriate content with custom rule.",
  invalid_url: "400 | InvalidURL | = | Required URL is missing or invalid, please check the request URL.",
  invalid_file: "400 | InvalidFile.Format | = | The format of the file is not supported.",
  bad_request: "400 | BadRequest.EmptyInput | = | Required input parameter missing from request.",
  too_large: "400 | BadRequest.TooLarge | = | Payload Too Large.",
  empty_content:
    "400 | ServiceUnavailableError | = | Role must be user or assistant and Content length must be greater than 0.",
  role_error:
    "500 | InternalError.Algo | internal_server_error | <500> InternalError.Algo: Role must be in [user, assistant]",
  index_error:
    "500 | InternalError.Algo | internal_server_error | <500> InternalError.Algo: list index out of range",
  missing_content_length:
    "500 | InternalError.Algo | internal_server_error | <500> InternalError.Algo: Missing Content-Length of multimodal url.",
};

/** Errors that every request meets: key, account, workspace or model. */
const accountErrors = {
  invalid_api_key:
    "401 | InvalidApiKey | invalid_api_key | Incorrect API key provided. For details, see: https://help.aliyun.com/zh/model-studio/error-code#apikey-error",
  not_authorized:
    "401 | NOT AUTHORIZED | = | Access denied: Either you are not authorized to access this workspace, or the workspace does not exist.",
  invalid_access_token:
    "401 | invalid access token or token expired | = | invalid access token or token expired.",
  arrearage: "400 | Arrearage | = | Access denied, please make sure your account is in good standing.",
  access_denied: "403 | AccessDenied | = | Access denied.",
  unpurchased:
    "403 | AccessDenied.Unpurchased | = | Access to model denied. Please make sure you are eligible for using the model.",
  model_access_denied: "403 | Model.AccessDenied | = | Model access denied.",
  workspace_access_denied: "403 | Workspace.AccessDenied | = | Workspace access denied.",
  free_tier_only:
    '403 | AllocationQuota.FreeTierOnly | = | The free tier of the model has been exhausted. If you wish to continue access the model on a paid basis, please disable the "use free tier only" mode in the management console.',
  model_not_found:
    "404 | ModelNotFound | model_not_found | The model does not exist or you do not have access to it.",
  model_not_supported: "404 | model_not_supported | = | Unsupported model for OpenAI compatibility mode.",
  workspace_not_found: "404 | WorkSpaceNotFound | = | WorkSpace can not be found.",
  free_quota_exceeded:
    "429 | Throttling.AllocationQuota | insufficient_quota | Free allocated quota exceeded.",
  not_purchased: "429 | CommodityNotPurchased | = | Commodity has not purchased yet.",
  prepaid_overdue: "429 | PrepaidBillOverdue | = | The prepaid bill is overdue.",
  postpaid_overdue: "429 | PostpaidBillOverdue | = | The postpaid bill is overdue.",
};

const lines = { ...transientErrors, ...requestErrors, ...accountErrors };

export type VendorErrorName = keyof typeof lines;

/** Codes whose `error.type` is `invalid_request_error`; elsewhere it repeats the code. */
const requestTypes = ["invalid_parameter_error", "invalid_api_key", "model_not_found", "model_not_supported"];

/** Messages by native code, where that path words them otherwise. */
const nativeMessages: Readonly<Record<string, string>> = { InvalidApiKey: "Invalid API-key provided." };

function readLine(line: string): VendorError {
  const [status, nativeCode = "", compatible = "", message = ""] = line.split(" | ");
  const compatibleCode = compatible === "=" ? nativeCode : compatible;
  const compatibleType = requestTypes.includes(compatibleCode) ? "invalid_request_error" : compatibleCode;
  const nativeMessage = nativeMessages[nativeCode] ?? message;
  return { status: Number(status), compatibleCode, compatibleType, nativeCode, message, nativeMessage };
}

/**
 * One entry per class of the vendor's error table (docs.qwencloud.com "Error messages",
 * help.aliyun.com/zh/model-studio/error-code, read in 2026): status, codes and wording as printed there,
 * and as seen in real bodies quoted in public issues where the table is silent on the compatible path.
 */
export const vendorErrors = Object.fromEntries(
  Object.entries(lines).map(([name, line]) => [name, readLine(line)]),
) as Readonly<Record<VendorErrorName, VendorError>>;

export function isVendorErrorName(name: string): name is VendorErrorName {
  return Object.hasOwn(vendorErrors, name);
}

/** Whether the same request meets the error at every call. */
export function isRequestError(name: string): boolean {
  return Object.hasOwn(requestErrors, name);
}
