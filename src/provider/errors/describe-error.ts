import type { Usage } from "../../types.js";
import { classifyError } from "./classify-error.js";
import type { Classification, VendorError } from "./classify-error.js";
import type { Endpoint } from "../endpoint.js";
import type { Advice } from "./error-table.js";
import { ProviderError } from "../provider.js";
import { maskKey, safeText } from "../redact.js";

export interface ErrorContext {
  readonly endpoint: Endpoint;
  readonly apiKey: string | null;
  readonly model: string;
}

/** Turns a server's error into a ProviderError with a message that a user can act on, free of the key. */
export function providerErrorOf(
  error: VendorError,
  context: ErrorContext,
  retryAfterMs: number | null,
  usage: Usage | null,
): { readonly error: ProviderError; readonly classification: Classification } {
  const classification = classifyError(error, context.endpoint.vendor);
  const said = safeText(error.message, context.apiKey);
  const { advice } = classification;
  return {
    classification,
    error: new ProviderError(messageOf(classification, said, error.status, context), {
      disposition: classification.disposition,
      kind: classification.kind,
      code: safeText(classification.code, context.apiKey, 100),
      httpStatus: error.status,
      retryAfterMs,
      requestId: error.requestId,
      usage,
      hint: advice === null ? undefined : HINTS[advice](context),
    }),
  };
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
    `Set the provider's baseUrl to where the server really is; ${endpoint.displayUrl} sends calls elsewhere.`,
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
