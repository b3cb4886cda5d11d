import { accountErrors } from "./account-errors.js";
import { requestErrors } from "./request-errors.js";
import { transientErrors } from "./transient-errors.js";

export { type VendorError } from "./vendor-error.js";

/**
 * One entry per class of the vendor's error table (docs.qwencloud.com "Error messages",
 * help.aliyun.com/zh/model-studio/error-code, read in 2026): status, codes and wording as printed there,
 * and as seen in real bodies quoted in public issues where the table is silent on the compatible path.
 */
export const vendorErrors = { ...transientErrors, ...requestErrors, ...accountErrors } as const;

export type VendorErrorName = keyof typeof vendorErrors;

export function isVendorErrorName(name: string): name is VendorErrorName {
  return Object.hasOwn(vendorErrors, name);
}
