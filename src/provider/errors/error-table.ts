import type { RowErrorKind } from "../../types.js";
import type { Vendor } from "../endpoint.js";
import type { Disposition } from "../provider.js";

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
/** What a server says of one request; with these a moderator's words are not taken for an account's. */
const OF_A_REQUEST = [400, 403, 404, 422, 451];

/** A sentence's rest, of bounded length: dots in names such as qwen2.5 do not end it. */
const REST = String.raw`(?:[^.\n]|\.(?=\S)){0,120}`;
const MODERATION = new RegExp(
  [
    String.raw`\b(input|prompt|content|request|messages?|text|output|response|images?)\b${REST}\bflagged\b`,
    String.raw`\bflagged (by|as|for)\b${REST}(moderat|violat|unsafe|harm|polic)`,
    String.raw`\bmoderat(ion|ed|or)\b|\bcensor|safety (system|filter|polic|guideline|check)|content (management )?polic`,
    String.raw`\busage (polic|guideline)|content exists risk|considered high risk|(unsafe|sensitive|prohibited|harmful) content`,
    String.raw`\bsensitive (words?|information)|不安全|敏感(内容|词|信息)`,
  ].join("|"),
  "i",
);
const ACCOUNT_CLOSED = new RegExp(
  String.raw`\b(account|organi[sz]ation|workspace|api key|project)\b${REST}\b(suspended|deactivated|disabled|banned|terminated)\b`,
  "i",
);
const UNKNOWN_MODEL = new RegExp(
  [
    String.raw`\b(model|deployment)\b${REST}\b(does not|doesn't|do not|not) exist`,
    String.raw`\bmodels?\b${REST}\b(not found|cannot be found|can not be found|decommissioned)\b|\bnot found the model\b`,
    String.raw`\b(unknown|invalid|unrecognized|no such) model\b|\bnot a valid model\b|\brequested model\b${REST}\bnot supported\b`,
    "模型不存在",
  ].join("|"),
  "i",
);
const WRONG_ENDPOINT =
  /unexpected endpoint|\binvalid url \(|\bunknown (url|endpoint|route)\b|\bcannot post \/|\bno (static resource|route matched)|\broute \S+ not found|requested url was not found|page not found|^not found\.?$|^a web page\b|method not allowed/i;

/**
 * The vendor's errors. Messages come before codes, since 429 and 500 reuse one code for what passes and
 * for what does not ("Allocated quota exceeded" is a minute's limit, "Free allocated quota exceeded" the end).
 */
export const ERROR_RULES: readonly ErrorRule[] = [
  {
    message: ACCOUNT_CLOSED,
    status: [400, 401, 403, 429],
    disposition: "run",
    kind: "invalid_request",
    advice: "billing",
    source: `${SEEN} OpenAI, OpenRouter, Moonshot`,
  },

  // The provider's content check, whatever status and code it hides behind.
  {
    message: MODERATION,
    status: OF_A_REQUEST,
    disposition: "row",
    kind: "content_filter",
    source: `${SEEN} OpenRouter, Azure, OpenAI, xAI, DeepSeek, Moonshot, GLM`,
  },
  {
    message: /DataInspectionFailed|data_inspection_failed|may contain inappropriate content/i,
    disposition: "row",
    kind: "content_filter",
    source: PAGE,
  },
  {
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
    disposition: "row",
    kind: "content_filter",
    source: `${PAGE}; the others: ${OPENAI}; ${SEEN} OpenRouter, Azure, StepFun, Volcengine, GLM`,
  },

  // The account is at its end: nothing passes until somebody pays or switches.
  {
    message: /free allocated quota exceeded|free tier of the model has been exhausted/i,
    disposition: "run",
    kind: "throttled",
    advice: "free_tier",
    source: PAGE,
  },
  {
    codes: ["allocationquota.freetieronly"],
    disposition: "run",
    kind: "throttled",
    advice: "free_tier",
    source: PAGE,
  },
  {
    codes: ["arrearage", "commoditynotpurchased", "prepaidbilloverdue", "postpaidbilloverdue"],
    disposition: "run",
    kind: "invalid_request",
    advice: "billing",
    source: PAGE,
  },
  {
    message: /insufficient (account )?(balance|credits?|funds)|余额不足|欠费/i,
    status: [400, 402, 403, 429],
    disposition: "run",
    kind: "invalid_request",
    advice: "billing",
    source: `${SEEN} DeepSeek, GLM, OpenRouter, one-api`,
  },
  {
    vendor: "other",
    codes: ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"],
    disposition: "run",
    kind: "invalid_request",
    advice: "billing",
    source: `${OPENAI}: there insufficient_quota is an empty account, not a rate`,
  },

  // Limits that pass. Model Studio says insufficient_quota for tokens per minute.
  {
    vendor: "other",
    status: [429],
    message: /request too large/i,
    disposition: "row",
    kind: "invalid_request",
    source: `${OPENAI}: one request above the minute's tokens never passes`,
  },
  {
    message:
      /allocated quota exceeded|exceeded your current (quota|requests)|requests? throttling triggered/i,
    disposition: "throttled",
    kind: "throttled",
    source: PAGE,
  },
  {
    codes: [
      "throttling",
      "throttling.*",
      "limitrequests",
      "limit_requests",
      "limit_burst_rate",
      "insufficient_quota",
      "rate_limit_exceeded",
    ],
    disposition: "throttled",
    kind: "throttled",
    source: PAGE,
  },

  // Permanent for the row although the status says 500.
  {
    message:
      /role must be in \[user, ?assistant\]|list index out of range|missing content-length of multimodal url/i,
    disposition: "row",
    kind: "invalid_request",
    source: PAGE,
  },
  {
    codes: ["internalerror.algo.invalidparameter"],
    disposition: "row",
    kind: "invalid_request",
    source: PAGE,
  },

  // Media that could not be fetched in time: worth another attempt although the status says 400.
  {
    codes: ["invalidurl.timeout", "invalidparameter.datainspection"],
    disposition: "retryable",
    kind: "timeout",
    source: PAGE,
  },
  {
    status: [400],
    message: /download[^.]*time[ds]?[ -]?out|timed out during the data inspection|file parsing in progress/i,
    disposition: "retryable",
    kind: "timeout",
    source: PAGE,
  },
  {
    message: /error occurred in model serving/i,
    disposition: "retryable",
    kind: "server",
    source: `${PAGE}; comes in streams under the code InvalidParameter (holon-run/holon#2424)`,
  },

  // Key, rights and model: the same for every row.
  {
    codes: ["invalidapikey", "invalid_api_key", "not authorized", "not_authorized", "notauthorized"],
    disposition: "run",
    kind: "invalid_request",
    advice: "key",
    source: `${PAGE}; ${SDK}`,
  },
  {
    message: /invalid access token|incorrect api key|invalid api-?key/i,
    disposition: "run",
    kind: "invalid_request",
    advice: "key",
    source: PAGE,
  },
  {
    codes: [
      "accessdenied",
      "accessdenied.*",
      "access_denied",
      "model.accessdenied",
      "workspace.accessdenied",
    ],
    disposition: "run",
    kind: "invalid_request",
    advice: "access",
    source: `${PAGE}; access_denied: ${SDK}`,
  },
  {
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
    disposition: "run",
    kind: "invalid_request",
    advice: "model",
    source: `${PAGE}; the others: ${SEEN} Mistral, Groq, Azure, Volcengine, GLM`,
  },
  {
    message: UNKNOWN_MODEL,
    status: [400, 404, 422],
    disposition: "run",
    kind: "invalid_request",
    advice: "model",
    source: `${PAGE}; ${SEEN} vLLM, DeepSeek, OpenRouter, LiteLLM, Ollama, SiliconFlow, Hugging Face`,
  },
  {
    message: WRONG_ENDPOINT,
    status: [400, 404, 405],
    disposition: "run",
    kind: "invalid_request",
    advice: "base_url",
    source: `${SEEN} LM Studio, OpenAI, Kong, Express, Fastify, FastAPI, nginx`,
  },
  {
    message: /^a web page\b/,
    status: [401, 403],
    disposition: "run",
    kind: "invalid_request",
    advice: "firewall",
    source: "Cloudflare, AWS WAF: their pages stand before the server",
  },

  // The service is in trouble.
  {
    status: [408, 500, 504],
    codes: ["requesttimeout", "request_timeout", "responsetimeout", "internalerror.timeout"],
    disposition: "retryable",
    kind: "timeout",
    source: `${PAGE}: 300 s, retried streamed`,
  },
  {
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
    disposition: "retryable",
    kind: "server",
    source: PAGE,
  },

  // The request itself.
  {
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
    disposition: "row",
    kind: "invalid_request",
    source: `${PAGE}; context_length_exceeded: ${OPENAI}`,
  },
];

/** What a status alone means. Order: exact statuses, then classes. */
export const STATUS_RULES: readonly ErrorRule[] = [
  { status: [429], disposition: "throttled", kind: "throttled", source: "RFC 6585" },
  { status: [401], disposition: "run", kind: "invalid_request", advice: "key", source: "RFC 9110" },
  { status: [402], disposition: "run", kind: "invalid_request", advice: "billing", source: "RFC 9110" },
  { status: [407], disposition: "run", kind: "invalid_request", advice: "firewall", source: "RFC 9110" },
  { status: [403], disposition: "run", kind: "invalid_request", advice: "access", source: "RFC 9110" },
  { status: [404, 405], disposition: "run", kind: "invalid_request", advice: "model", source: "RFC 9110" },
  { status: [451], disposition: "row", kind: "content_filter", source: "RFC 7725; StepFun" },
  { status: [408, 504], disposition: "retryable", kind: "timeout", source: "RFC 9110" },
  { status: [409, 425], disposition: "retryable", kind: "server", source: "RFC 9110, RFC 8470" },
];
