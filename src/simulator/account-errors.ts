import { type VendorError, vendorError } from "./vendor-error.js";

/** Errors that every request meets: key, account, workspace or model. */
export const accountErrors = {
  invalid_api_key: vendorError(
    401,
    ["invalid_api_key", "invalid_request_error"],
    "InvalidApiKey",
    "Incorrect API key provided. For details, see: https://help.aliyun.com/zh/model-studio/error-code#apikey-error",
  ),
  not_authorized: vendorError(
    401,
    "NOT AUTHORIZED",
    "NOT AUTHORIZED",
    "Access denied: Either you are not authorized to access this workspace, or the workspace does not exist.",
  ),
  invalid_access_token: vendorError(
    401,
    "invalid access token or token expired",
    "invalid access token or token expired",
    "invalid access token or token expired.",
  ),
  arrearage: vendorError(
    400,
    "Arrearage",
    "Arrearage",
    "Access denied, please make sure your account is in good standing.",
  ),
  access_denied: vendorError(403, "AccessDenied", "AccessDenied", "Access denied."),
  unpurchased: vendorError(
    403,
    "AccessDenied.Unpurchased",
    "AccessDenied.Unpurchased",
    "Access to model denied. Please make sure you are eligible for using the model.",
  ),
  model_access_denied: vendorError(403, "Model.AccessDenied", "Model.AccessDenied", "Model access denied."),
  workspace_access_denied: vendorError(
    403,
    "Workspace.AccessDenied",
    "Workspace.AccessDenied",
    "Workspace access denied.",
  ),
  free_tier_only: vendorError(
    403,
    "AllocationQuota.FreeTierOnly",
    "AllocationQuota.FreeTierOnly",
    'The free tier of the model has been exhausted. If you wish to continue access the model on a paid basis, please disable the "use free tier only" mode in the management console.',
  ),
  model_not_found: vendorError(
    404,
    ["model_not_found", "invalid_request_error"],
    "ModelNotFound",
    "The model does not exist or you do not have access to it.",
  ),
  model_not_supported: vendorError(
    404,
    ["model_not_supported", "invalid_request_error"],
    "model_not_supported",
    "Unsupported model for OpenAI compatibility mode.",
  ),
  workspace_not_found: vendorError(
    404,
    "WorkSpaceNotFound",
    "WorkSpaceNotFound",
    "WorkSpace can not be found.",
  ),
  free_quota_exceeded: vendorError(
    429,
    "insufficient_quota",
    "Throttling.AllocationQuota",
    "Free allocated quota exceeded.",
  ),
  not_purchased: vendorError(
    429,
    "CommodityNotPurchased",
    "CommodityNotPurchased",
    "Commodity has not purchased yet.",
  ),
  prepaid_overdue: vendorError(
    429,
    "PrepaidBillOverdue",
    "PrepaidBillOverdue",
    "The prepaid bill is overdue.",
  ),
  postpaid_overdue: vendorError(
    429,
    "PostpaidBillOverdue",
    "PostpaidBillOverdue",
    "The postpaid bill is overdue.",
  ),
} as const satisfies Record<string, VendorError>;
