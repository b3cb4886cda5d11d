import type { RowErrorKind } from "../../types.js";
import type { Vendor } from "../endpoint.js";
import type { Disposition } from "../provider.js";
import { ACCOUNT_CLOSED, MODERATION, UNKNOWN_MODEL, WRONG_ENDPOINT } from "./error-wordings.js";

/** What a user can do about an error that stops the run; the words are in `describe-error.ts`. */
export type Advice =
  "key" | "access" | "billing" | "free_tier" | "model" | "base_url" | "redirect" | "firewall";

/** What an error means. All conditions that a rule names must hold; the first rule that holds counts. */
export interface ErrorRule {
  readonly status?: readonly number[];
  /** Lower case; a `*` at the end stands for anything. */
  readonly codes?: readonly string[];
  readonly message?: RegExp;
  /** Absent: any vendor. */
  readonly vendor?: Vendor;
  readonly disposition: Disposition;
  readonly kind: RowErrorKind;
  readonly advice?: Advice;
  readonly source: string;
}

const PAGE = "Model Studio error messages page, 23 Jun 2026, and its QwenCloud mirror";
const SDK = "DashScope SDK 1.26.2 and spelling variants seen in issues";
const OPENAI = "OpenAI API error codes page (recall)";
const SEEN = "wordings seen in public issues of";

/** What errors mean, for the rules below. */
const MODERATED = { disposition: "row", kind: "content_filter" } as const;
const REFUSED = { disposition: "row", kind: "invalid_request" } as const;
const HALTS = { disposition: "run", kind: "invalid_request" } as const;
const USED_UP = { disposition: "run", kind: "throttled" } as const;
const THROTTLED = { disposition: "throttled", kind: "throttled" } as const;
const FAILING = { disposition: "retryable", kind: "server" } as const;
const LATE = { disposition: "retryable", kind: "timeout" } as const;

/**
 * The vendor's errors. Messages come before codes, since 429 and 500 reuse one code for what passes and
 * for what does not ("Allocated quota exceeded" is a minute's limit, "Free allocated quota exceeded" the end).
 */
export const ERROR_RULES: readonly ErrorRule[] = [
  {
    ...HALTS,
    message: ACCOUNT_CLOSED,
    status: [400, 401, 403, 429],
    advice: "billing",
    source: `${SEEN} OpenAI, OpenRouter, Moonshot`,
  },

  // The provider's content check, whatever status and code it hides behind.
  {
    ...MODERATED,
    message: MODERATION,
    status: [400, 403, 422, 451],
    source: `${SEEN} OpenRouter, Azure, OpenAI, xAI, DeepSeek, Moonshot, GLM`,
  },
  {
    ...MODERATED,
    message: /DataInspectionFailed|data_inspection_failed|may contain inappropriate content/i,
    source: PAGE,
  },
  {
    ...MODERATED,
    codes: [
      "datainspectionfailed",
      "data_inspection_failed",
      "internalerror.algo.datainspectionfailed",
      "ipinfringementsuspect",
      "faqruleblocked",
      "customroleblocked",
      "content_filter",
      "content_policy_violation",
      "moderation*",
      "invalid_prompt",
      "responsibleaipolicyviolation",
      "censorship_blocked",
      "sensitivecontentdetected*",
      "inputtextsensitivecontentdetected*",
      "1301",
    ],
    source: `${PAGE}; the others: ${OPENAI}; ${SEEN} OpenRouter, Azure, StepFun, Volcengine, GLM`,
  },

  // The account is at its end: nothing passes until somebody pays or switches.
  {
    ...USED_UP,
    message: /free allocated quota exceeded|free tier of the model has been exhausted/i,
    advice: "free_tier",
    source: PAGE,
  },
  { ...USED_UP, codes: ["allocationquota.freetieronly"], advice: "free_tier", source: PAGE },
  {
    ...HALTS,
    codes: ["arrearage", "commoditynotpurchased", "prepaidbilloverdue", "postpaidbilloverdue"],
    advice: "billing",
    source: PAGE,
  },
  {
    ...HALTS,
    message: /insufficient (account )?(balance|credits?|funds)|余额不足|欠费/i,
    status: [400, 402, 403, 429],
    advice: "billing",
    source: `${SEEN} DeepSeek, GLM, OpenRouter, one-api`,
  },
  {
    ...HALTS,
    vendor: "other",
    codes: ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"],
    advice: "billing",
    source: `${OPENAI}: there insufficient_quota is an empty account, not a rate`,
  },

  // Limits that pass. Model Studio says insufficient_quota for tokens per minute.
  {
    ...REFUSED,
    vendor: "other",
    status: [429],
    message: /request too large/i,
    source: `${OPENAI}: one request above the minute's tokens never passes`,
  },
  {
    ...THROTTLED,
    message:
      /allocated quota exceeded|exceeded your current (quota|requests)|requests? throttling triggered/i,
    source: PAGE,
  },
  {
    ...THROTTLED,
    codes: [
      "throttling",
      "throttling.*",
      "limitrequests",
      "limit_requests",
      "limit_burst_rate",
      "insufficient_quota",
      "rate_limit_exceeded",
    ],
    source: PAGE,
  },

  // Permanent for the row although the status says 500.
  {
    ...REFUSED,
    message:
      /role must be in \[user, ?assistant\]|list index out of range|missing content-length of multimodal url/i,
    source: PAGE,
  },
  { ...REFUSED, codes: ["internalerror.algo.invalidparameter"], source: PAGE },

  // Media that could not be fetched in time: worth another attempt although the status says 400.
  { ...LATE, codes: ["invalidurl.timeout", "invalidparameter.datainspection"], source: PAGE },
  {
    ...LATE,
    status: [400],
    message: /download[^.]*time[ds]?[ -]?out|timed out during the data inspection|file parsing in progress/i,
    source: PAGE,
  },
  {
    ...FAILING,
    message: /error occurred in model serving/i,
    source: `${PAGE}; comes in streams under the code InvalidParameter (holon-run/holon#2424)`,
  },

  // Key, rights and model: the same for every row.
  {
    ...HALTS,
    codes: ["invalidapikey", "invalid_api_key", "not authorized", "not_authorized", "notauthorized"],
    advice: "key",
    source: `${PAGE}; ${SDK}`,
  },
  {
    ...HALTS,
    message: /invalid access token|incorrect api key|invalid api-?key/i,
    advice: "key",
    source: PAGE,
  },
  {
    ...HALTS,
    codes: [
      "accessdenied",
      "accessdenied.*",
      "access_denied",
      "model.accessdenied",
      "workspace.accessdenied",
    ],
    advice: "access",
    source: `${PAGE}; access_denied: ${SDK}`,
  },
  {
    ...HALTS,
    codes: [
      "modelnotfound",
      "model_not_found",
      "model_not_supported",
      "workspacenotfound",
      "model_not_exist",
      "invalid_model",
      "model_decommissioned",
      "deploymentnotfound",
      "invalidendpointormodel.notfound",
      "1211",
    ],
    advice: "model",
    source: `${PAGE}; the others: ${SEEN} Mistral, Groq, Azure, Volcengine, GLM`,
  },
  {
    ...HALTS,
    message: UNKNOWN_MODEL,
    status: [400, 404, 422],
    advice: "model",
    source: `${PAGE}; ${SEEN} vLLM, DeepSeek, OpenRouter, LiteLLM, Ollama, SiliconFlow, Hugging Face`,
  },
  {
    ...HALTS,
    message: WRONG_ENDPOINT,
    status: [400, 404, 405],
    advice: "base_url",
    source: `${SEEN} LM Studio, OpenAI, Kong, Express, Fastify, FastAPI, nginx`,
  },
  {
    ...HALTS,
    message: /^a web page\b/,
    status: [401, 403],
    advice: "firewall",
    source: "Cloudflare, AWS WAF: their pages stand before the server",
  },

  // The service is in trouble.
  {
    ...LATE,
    status: [408, 500, 504],
    codes: ["requesttimeout", "request_timeout", "responsetimeout", "internalerror.timeout"],
    source: `${PAGE}: 300 s, retried streamed`,
  },
  {
    ...FAILING,
    status: [500, 503],
    codes: [
      "internalerror",
      "internalerror.algo",
      "internal_error",
      "internal_server_error",
      "serviceunavailable",
      "systemerror",
      "modelservicefailed",
      "modelservingerror",
      "modelunavailable",
    ],
    source: PAGE,
  },

  // The request itself.
  {
    ...REFUSED,
    status: [400],
    codes: [
      "invalidparameter",
      "invalidparameter.*",
      "invalid_parameter_error",
      "invalid_request_error",
      "invalidurl",
      "invalidurl.*",
      "invalidfile",
      "invalidfile.*",
      "badrequest.*",
      "badrequesterror",
      "serviceunavailableerror",
      "unsupportedoperation",
      "context_length_exceeded",
    ],
    source: `${PAGE}; context_length_exceeded: ${OPENAI}`,
  },
];

/** What a status alone means. Order: exact statuses, then classes. */
export const STATUS_RULES: readonly ErrorRule[] = [
  { ...THROTTLED, status: [429], source: "RFC 6585" },
  { ...HALTS, status: [401], advice: "key", source: "RFC 9110" },
  { ...HALTS, status: [402], advice: "billing", source: "RFC 9110" },
  { ...HALTS, status: [407], advice: "firewall", source: "RFC 9110" },
  { ...HALTS, status: [403], advice: "access", source: "RFC 9110" },
  { ...HALTS, status: [404, 405], advice: "model", source: "RFC 9110" },
  { ...MODERATED, status: [451], source: "RFC 7725; StepFun" },
  { ...LATE, status: [408, 504], source: "RFC 9110" },
  { ...FAILING, status: [409, 425], source: "RFC 9110, RFC 8470" },
];
