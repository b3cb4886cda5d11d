import type { Usage } from "../../types.js";
import { limitsResetMs, readRetryAfterMs, statedWaitMs } from "../http/retry-after.js";
import { classifyError } from "./classify-error.js";
import type { Classification } from "./classify-error.js";
import type { VendorError } from "./vendor-error.js";
import type { Endpoint } from "../endpoint.js";
import type { Advice } from "./error-table.js";
import { ProviderError } from "../provider.js";
import { maskKey, safeText } from "../redact.js";

export interface ErrorContext {
  readonly endpoint: Endpoint;
  readonly apiKey: string | null;
  readonly model: string;
}

/** What is known of the call beside the error. */
export interface FailedCall {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly usage: Usage | null;
  /** Some of the answer came before the error: it may be on the bill. */
  readonly hadBegun: boolean;
  /** The error stands in the answer itself: the server broke it off, and may not the next time. */
  readonly isBroken: boolean;
}

/** Turns a server's error into a ProviderError with a message that a user can act on, free of the key. */
export function providerErrorOf(
  error: VendorError,
  context: ErrorContext,
  call: FailedCall,
): { readonly error: ProviderError; readonly classification: Classification } {
  const classification = classifyError(error, context.endpoint.vendor);
  const said = safeText(error.message, context.apiKey);
  const { advice, kind } = classification;
  const disposition = call.isBroken && kind !== "content_filter" ? "retryable" : classification.disposition;
  return {
    classification,
    error: new ProviderError(messageOf(classification, said, error.status, context), {
      disposition,
      kind,
      code: safeText(classification.code, context.apiKey, 100),
      httpStatus: error.status,
      retryAfterMs: waitMs(error, call, classification.disposition === "throttled"),
      requestId: error.requestId,
      usage: call.usage,
      mayHaveBeenBilled: call.hadBegun && call.usage === null,
      // 402 is also said to a single request, whose answer could grow too dear (OpenRouter).
      isOfAccount: (advice === "billing" && error.status !== 402) || advice === "free_tier",
      hint: advice === null ? undefined : HINTS[advice](context),
    }),
  };
}

function waitMs(error: VendorError, { headers }: FailedCall, isThrottled: boolean): number | null {
  const now = Date.now();
  return (
    readRetryAfterMs(headers, now) ??
    statedWaitMs(error.message) ??
    (isThrottled ? limitsResetMs(headers, now) : null)
  );
}

function messageOf(
  classification: Classification,
  said: string,
  status: number,
  context: ErrorContext,
): string {
  const text = said === "" ? `the server answered HTTP ${status} and said nothing more` : said;
  if (classification.kind === "content_filter") {
    return `the provider's content check refused the input or the output: ${text}`;
  }
  const { advice } = classification;
  if (advice === "key") return `${placeOf(context.endpoint)} refused ${keyOf(context)}: ${text}`;
  if (advice === "model") return `${placeOf(context.endpoint)} does not know model ${context.model}: ${text}`;
  if (advice === null) return text;
  return `${placeOf(context.endpoint)}: ${text}`;
}

const HINTS: Readonly<Record<Advice, (context: ErrorContext) => string>> = {
  key: ({ endpoint, apiKey }) => {
    if (endpoint.vendor === "other")
      return `Check ${variablesOf(endpoint)} for ${endpoint.displayUrl}, then promptmill resume.`;
    if (apiKey?.startsWith("sk-sp-") === true) {
      return "A key that starts with sk-sp- belongs to the Coding Plan and works on its own host only; use a Model Studio key.";
    }
    return `Keys differ by region: check that ${variablesOf(endpoint)} holds a key of region ${endpoint.region ?? "this host"}, or set region: in the job to the key's region, then promptmill resume.`;
  },
  access: ({ endpoint, model }) =>
    `Check in the ${endpoint.vendor === "other" ? "provider's" : "Model Studio"} console that this key's workspace may use ${model}, then promptmill resume.`,
  billing: () =>
    "Settle the account's balance or buy the service in the provider's console, then promptmill resume.",
  free_tier: () =>
    'The free quota of this model is used up: switch off "free tier only" in the Model Studio console or choose another model, then promptmill resume.',
  model: ({ endpoint, model }) =>
    `Check the spelling of ${model} and that it is offered ${endpoint.region === null ? `at ${endpoint.displayUrl}` : `in region ${endpoint.region}`}; models differ by region. A wrong base URL looks the same.`,
  base_url: ({ endpoint }) =>
    `Check the provider's base URL: calls go to ${endpoint.displayUrl}, and most servers want one that ends in /v1.`,
  redirect: ({ endpoint }) =>
    `Set the provider's baseUrl to where the server really is; ${endpoint.displayUrl} sends calls elsewhere.`,
  firewall: ({ endpoint }) =>
    `Something in front of ${endpoint.displayUrl} refused the call, such as a firewall or a proxy: ask its owner, then promptmill resume.`,
};

function placeOf(endpoint: Endpoint): string {
  if (endpoint.vendor === "other" || endpoint.region === null) return endpoint.displayUrl;
  return `Model Studio, region ${endpoint.region} (${endpoint.displayUrl}),`;
}

function keyOf({ endpoint, apiKey }: ErrorContext): string {
  if (apiKey === null) return "a call without an API key";
  return `the API key ${maskKey(apiKey)} from ${variablesOf(endpoint)}`;
}

function variablesOf(endpoint: Endpoint): string {
  return endpoint.apiKeyEnvNames.length === 0 ? "the environment" : endpoint.apiKeyEnvNames.join(" or ");
}
