import { UsageError } from "../errors.js";
import type { Protocol } from "../types.js";
import { displayUrl, isLocalHost, parseBaseUrl, plainUrl, withVendorPath } from "./base-url.js";
import type { Endpoint, Environment, ProviderSettings, ProviderTarget } from "./endpoint.js";
import {
  BASE_PATHS,
  findRegion,
  isVendorHost,
  REGIONS,
  workspaceHost,
  workspaceHostRegion,
} from "./regions.js";
import type { Region } from "./regions.js";

/** The service gives up after 300 s: a little more, so that its own answer is what we report. */
export const DEFAULT_TIMEOUT_MS = 310_000;
/** Batch Chat holds a call for 3600 s by default. */
export const BATCH_CHAT_TIMEOUT_MS = 3_660_000;

/**
 * Where Model Studio answers for a job: see `resolveEndpoint` for what beats what. Also for other names in
 * the configuration that stand for Model Studio (another account, a gateway before it).
 */
export function modelStudioEndpoint(
  target: ProviderTarget,
  protocol: Protocol,
  settings: ProviderSettings,
  environment: Environment,
): Endpoint {
  const fromEnvironment =
    target.region === null
      ? environment[protocol === "openai" ? "DASHSCOPE_COMPATIBLE_BASE_URL" : "DASHSCOPE_HTTP_BASE_URL"]
      : undefined;
  const baseUrl = settings.baseUrl ?? (fromEnvironment?.trim() === "" ? undefined : fromEnvironment);
  const url = baseUrl === undefined ? null : parseBaseUrl(baseUrl, target.provider);
  const place =
    url === null
      ? placeOf(target.region ?? settings.region ?? "singapore", protocol, settings.workspace)
      : placeBehind(url, target.region ?? settings.region ?? null, protocol);
  const location =
    url === null
      ? new URL(`https://${place.host}${BASE_PATHS[protocol]}`)
      : withVendorPath(url, protocol, place.vendorHost);
  const apiKeyEnvNames = studioKeyNames(target.provider, settings, place);
  return {
    provider: target.provider,
    protocol,
    vendor: "model-studio",
    baseUrl: plainUrl(location),
    region: place.name,
    displayUrl: displayUrl(location),
    apiKeyEnvNames,
    keyRequired: apiKeyEnvNames.length > 0 && !isLocalHost(location.hostname),
    batchChat: place.batchChat,
    defaultTimeoutMs: place.batchChat ? BATCH_CHAT_TIMEOUT_MS : DEFAULT_TIMEOUT_MS,
  };
}

interface Place {
  readonly host: string;
  readonly vendorHost: boolean;
  readonly name: string | null;
  readonly keyRegion: string | null;
  readonly batchChat: boolean;
}

function placeOf(wanted: string, protocol: Protocol, workspace: string | undefined): Place {
  const region = findRegion(wanted);
  if (region === undefined) {
    const regionId = workspaceHostRegion(wanted);
    if (regionId === null) throw unknownRegion(wanted);
    const known = findRegion(regionId);
    return {
      host: wanted.trim().toLowerCase(),
      vendorHost: true,
      name: known?.name ?? regionId,
      keyRegion: known?.keyRegion ?? regionId,
      batchChat: false,
    };
  }
  requireProtocol(region, protocol);
  const ownHost =
    workspace === undefined || region.id === null ? region.host : workspaceHost(workspace, region.id);
  if (
    ownHost === null ||
    (workspace !== undefined && region.id !== null && workspaceHostRegion(ownHost) === null)
  ) {
    throw new UsageError(
      ownHost === null
        ? `region ${region.name} is reached through a workspace's own host only, and no workspace is configured`
        : `workspace ${JSON.stringify(workspace)} cannot be part of a host name`,
      {
        code: "workspace_needed",
        hint: `Set providers.model-studio.workspace in promptmill.config.yaml to the workspace id, or region: to its host, <workspace>.${region.id}.maas.aliyuncs.com.`,
      },
    );
  }
  return {
    host: ownHost,
    vendorHost: true,
    name: region.name,
    keyRegion: region.keyRegion,
    batchChat: region.batchChat,
  };
}

/** What is known of a base URL that the configuration or the environment gives. */
function placeBehind(url: URL, wantedRegion: string | null, protocol: Protocol): Place {
  const region =
    findRegion(url.hostname) ?? findRegion(workspaceHostRegion(url.hostname) ?? wantedRegion ?? "");
  if (region !== undefined && region.host === url.hostname) requireProtocol(region, protocol);
  if (region === undefined && wantedRegion !== null && workspaceHostRegion(wantedRegion) === null)
    throw unknownRegion(wantedRegion);
  return {
    host: url.host,
    vendorHost: isVendorHost(url.hostname),
    name: region?.name ?? null,
    keyRegion: region?.keyRegion ?? null,
    // Also behind a gateway, when the job names that region.
    batchChat: region?.batchChat === true,
  };
}

function requireProtocol(region: Region, protocol: Protocol): void {
  if (region.protocols.includes(protocol)) return;
  throw new UsageError(
    `region ${region.name} speaks only the ${region.protocols.join(", ")} protocol, the job asks for ${protocol}`,
    {
      code: "protocol_not_supported",
      hint: `Set protocol: ${region.protocols[0] ?? "openai"} in the job, or choose another region.`,
    },
  );
}

function unknownRegion(wanted: string): UsageError {
  return new UsageError(
    `unknown region ${JSON.stringify(wanted)}; known are ${REGIONS.map((each) => each.name).join(", ")}, and workspace hosts <workspace>.<region id>.maas.aliyuncs.com`,
    {
      code: "unknown_region",
      hint: "For any other host, add a provider with its baseUrl to promptmill.config.yaml and name it in the job.",
    },
  );
}

/** The vendor's own key goes to a foreign host only where the operator set that host for model-studio itself. */
function studioKeyNames(provider: string, settings: ProviderSettings, place: Place): readonly string[] {
  if (settings.apiKeyEnv !== undefined) return [settings.apiKeyEnv];
  if (!place.vendorHost && provider !== "model-studio") return [];
  const general = "DASHSCOPE_API_KEY";
  const region = place.keyRegion;
  return region === null ? [general] : [`${general}_${region.toUpperCase().replaceAll("-", "_")}`, general];
}
