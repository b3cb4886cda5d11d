import { UsageError } from "../errors.js";
import type { Protocol } from "../types.js";
import { displayUrl, isLocalHost, parseBaseUrl, plainUrl, withVendorPath } from "./base-url.js";
import type { Endpoint, Environment, ProviderSettings, ProviderTarget } from "./endpoint.js";
import { BATCH_CHAT_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, modelStudioEndpoint } from "./model-studio-endpoint.js";
import { isVendorHost } from "./regions.js";

export const BUILT_IN_PROVIDERS = ["model-studio", "openai-compatible", "simulator"] as const;

const OPENAI_BASE_URL = "https://api.openai.com/v1";

/**
 * Says where a job's calls go: provider name, region and protocol to one URL.
 *
 * Model Studio, first that applies: the configuration's `baseUrl`, the job's region, the vendor SDK's
 * `DASHSCOPE_COMPATIBLE_BASE_URL` / `DASHSCOPE_HTTP_BASE_URL`, the configuration's region, singapore.
 * Elsewhere: `OPENAI_BASE_URL` / `PROMPTMILL_SIMULATOR_URL`, then the configuration. A job can thus only
 * choose among the vendor's hosts, never name one of its own. UsageError for what is unknown.
 */
export function resolveEndpoint(
  target: ProviderTarget,
  providers: Readonly<Record<string, ProviderSettings>>,
  environment: Environment,
): Endpoint {
  const settings = Object.hasOwn(providers, target.provider) ? providers[target.provider] : undefined;
  const protocol = agreeOnProtocol(target, settings);
  if (target.provider === "simulator") return simulatorEndpoint(protocol, settings, environment);
  if (target.provider === "openai-compatible") return openAiEndpoint(target, protocol, settings, environment);
  if (target.provider === "model-studio") {
    return modelStudioEndpoint(target, protocol, settings ?? { name: target.provider }, environment);
  }
  if (settings === undefined) throw unknownProvider(target.provider, providers);
  if (settings.baseUrl === undefined || isModelStudioSettings(settings, settings.baseUrl)) {
    return modelStudioEndpoint(target, protocol, settings, {});
  }
  refuseRegion(target);
  return plainEndpoint(target.provider, protocol, settings.baseUrl, settings.apiKeyEnv);
}

/**
 * Reads the key from the first of the endpoint's variables that is set; surrounding white space, as a
 * `$(cat file)` leaves it, is dropped. null when there is none and none is needed; UsageError when one is.
 */
export function readApiKey(endpoint: Endpoint, environment: Environment): string | null {
  for (const name of endpoint.apiKeyEnvNames) {
    const key = environment[name]?.trim();
    if (key === undefined || key === "") continue;
    if (!/^[\x21-\x7e]+$/.test(key)) {
      throw new UsageError(`${name} holds white space or characters that no API key has`, {
        code: "invalid_api_key_format",
        hint: `Set ${name} to the key alone, without quotes, spaces or line breaks.`,
      });
    }
    return key;
  }
  if (!endpoint.keyRequired) return null;
  const where = endpoint.region === null ? endpoint.displayUrl : `Model Studio, region ${endpoint.region}`;
  throw new UsageError(
    `no API key for provider ${endpoint.provider} (${where}): ${orList(endpoint.apiKeyEnvNames)} is not set`,
    {
      code: "missing_api_key",
      hint: `export ${endpoint.apiKeyEnvNames[0] ?? "…"}=<your key>, or put it into a .env file beside promptmill.config.yaml; to try without a key: promptmill run <job> --simulate`,
    },
  );
}

function simulatorEndpoint(
  protocol: Protocol,
  settings: ProviderSettings | undefined,
  environment: Environment,
): Endpoint {
  const baseUrl = environment["PROMPTMILL_SIMULATOR_URL"] ?? settings?.baseUrl;
  if (baseUrl === undefined || baseUrl.trim() === "") {
    throw new UsageError("provider simulator: PROMPTMILL_SIMULATOR_URL is not set", {
      code: "missing_simulator_url",
      hint: "Start one with promptmill simulator and set PROMPTMILL_SIMULATOR_URL to the URL it prints, or run with --simulate.",
    });
  }
  const url = withVendorPath(parseBaseUrl(baseUrl, "simulator"), protocol, true);
  // The simulator's own rehearsal of the Batch Chat host.
  const batchChat = url.pathname.startsWith("/batch/");
  return {
    provider: "simulator",
    protocol,
    vendor: "model-studio",
    baseUrl: plainUrl(url),
    region: null,
    displayUrl: displayUrl(url),
    apiKeyEnvNames: [],
    keyRequired: false,
    batchChat,
    defaultTimeoutMs: batchChat ? BATCH_CHAT_TIMEOUT_MS : DEFAULT_TIMEOUT_MS,
  };
}

function openAiEndpoint(
  target: ProviderTarget,
  protocol: Protocol,
  settings: ProviderSettings | undefined,
  environment: Environment,
): Endpoint {
  refuseRegion(target);
  const fromEnvironment = environment["OPENAI_BASE_URL"]?.trim();
  const baseUrl =
    fromEnvironment === undefined || fromEnvironment === "" ? settings?.baseUrl : fromEnvironment;
  return plainEndpoint(
    target.provider,
    protocol,
    baseUrl ?? OPENAI_BASE_URL,
    settings?.apiKeyEnv ?? "OPENAI_API_KEY",
  );
}

function plainEndpoint(
  provider: string,
  protocol: Protocol,
  baseUrl: string,
  apiKeyEnv: string | undefined,
): Endpoint {
  const url = parseBaseUrl(baseUrl, provider);
  if (protocol === "dashscope") {
    throw new UsageError(`provider ${provider} at ${displayUrl(url)} does not speak the dashscope protocol`, {
      code: "protocol_not_supported",
      hint: "Remove protocol: dashscope from the job, or set protocol: dashscope for this provider in promptmill.config.yaml.",
    });
  }
  const named = apiKeyEnv !== undefined && provider !== "openai-compatible";
  return {
    provider,
    protocol,
    vendor: isVendorHost(url.hostname) ? "model-studio" : "other",
    baseUrl: plainUrl(url),
    region: null,
    displayUrl: displayUrl(url),
    apiKeyEnvNames: apiKeyEnv === undefined ? [] : [apiKeyEnv],
    // A server that somebody runs in his own network often has no key: its own 401 says so if it has.
    keyRequired: url.hostname === "api.openai.com" || (named && !isLocalHost(url.hostname)),
    batchChat: false,
    defaultTimeoutMs: DEFAULT_TIMEOUT_MS,
  };
}

/** A job's `openai` may be the default rather than a wish, so the configuration decides; `dashscope` is a wish. */
function agreeOnProtocol(target: ProviderTarget, settings: ProviderSettings | undefined): Protocol {
  const spoken = target.provider === "openai-compatible" ? "openai" : settings?.protocol;
  if (spoken === undefined || spoken === target.protocol) return target.protocol;
  if (target.protocol === "openai") return spoken;
  throw new UsageError(
    `provider ${target.provider} speaks the ${spoken} protocol, the job asks for ${target.protocol}`,
    {
      code: "protocol_not_supported",
      hint: `Set protocol: ${spoken} in the job, or name another provider.`,
    },
  );
}

function isModelStudioSettings(settings: ProviderSettings, baseUrl: string): boolean {
  if (settings.protocol === "dashscope" || settings.region !== undefined || settings.workspace !== undefined)
    return true;
  return isVendorHost(parseBaseUrl(baseUrl, settings.name).hostname);
}

function refuseRegion(target: ProviderTarget): void {
  if (target.region === null) return;
  throw new UsageError(
    `provider ${target.provider} has no regions, the job asks for ${JSON.stringify(target.region)}`,
    {
      code: "region_not_applicable",
      hint: "Remove region: from the job, or set provider: model-studio.",
    },
  );
}

function unknownProvider(name: string, providers: Readonly<Record<string, ProviderSettings>>): UsageError {
  const known = [...new Set([...BUILT_IN_PROVIDERS, ...Object.keys(providers)])];
  return new UsageError(`unknown provider ${JSON.stringify(name)}; known are ${known.join(", ")}`, {
    code: "unknown_provider",
    hint: `Name one of them in the job, or add ${name} under providers: in promptmill.config.yaml.`,
  });
}

function orList(names: readonly string[]): string {
  return names.length === 0 ? "no variable" : names.join(" or ");
}
