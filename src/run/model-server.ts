import type { Config } from "../config.js";
import { UsageError } from "../errors.js";
import type { AnsweredBy } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { Log } from "../log.js";
import {
  createProvider,
  readApiKey,
  resolveEndpoint,
  type Endpoint,
  type Environment,
  type Provider,
} from "../provider/index.js";
import { paceAccount } from "../worker/pace-account.js";
import { startSimulator, type SimulatorOptions } from "../simulator/index.js";
import type { Lane } from "../usage/index.js";

/** Where a run's calls go. */
export interface ModelServer {
  readonly endpoint: Endpoint;
  /** As workers look it up: "simulator" for a simulated run. */
  readonly providerName: string;
  readonly environment: Environment;
  /** Region by which calls are priced, also when they are simulated; null where prices have none. */
  readonly priceRegion: string | null;
  /** At what price, likewise: Batch Chat costs half. */
  readonly lane: Lane;
  /** Whose limits calls share; null: this process has no key, so that is not known. */
  readonly account: string | null;
  /** Opens pooled connections. UsageError when a key is needed and missing. */
  connect(connections: number): Provider;
  close(): Promise<void>;
}

/** As of a quick model, so that a simulated run looks like a run and is soon over. */
const SIMULATED_LATENCY = { kind: "log-normal", medianMs: 120, sigma: 0.4 } as const;

/**
 * Settles where calls go, and starts the simulator in this process when `simulate` says so. The key is
 * read now, so that a missing one is said before anything else happens.
 */
export async function openModelServer(
  job: ResolvedJob,
  config: Config,
  options: { readonly simulate: SimulatorOptions | null; readonly callsModel: boolean; readonly log: Log },
): Promise<ModelServer> {
  const simulator =
    options.simulate === null
      ? null
      : await startSimulator({ latency: SIMULATED_LATENCY, trackRequests: false, ...options.simulate });
  try {
    const environment =
      simulator === null
        ? config.environment
        : { ...config.environment, PROMPTMILL_SIMULATOR_URL: simulator.url };
    const providerName = simulator === null ? job.provider : "simulator";
    const endpoint = resolveEndpoint(
      { provider: providerName, region: simulator === null ? job.region : null, protocol: job.protocol },
      config.providers,
      environment,
    );
    const priced =
      simulator === null || job.provider === "simulator"
        ? endpoint
        : resolveEndpoint({ ...job }, config.providers, config.environment);
    const apiKey = options.callsModel ? readApiKey(endpoint, environment) : null;
    return {
      endpoint,
      providerName,
      environment,
      account: accountOf(endpoint, environment),
      priceRegion: job.region ?? priced.region,
      lane: priced.batchChat ? "batch" : "real-time",
      connect: (connections) =>
        createProvider(endpoint, {
          apiKey,
          connections,
          log: (event) => options.log.warn(event, "The model server said something unknown"),
        }),
      close: async () => {
        await simulator?.close();
      },
    };
  } catch (error) {
    await simulator?.close();
    throw error;
  }
}

/** A process that only coordinates may have no key. */
function accountOf(endpoint: Endpoint, environment: Environment): string | null {
  try {
    return paceAccount(endpoint, readApiKey(endpoint, environment));
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

/**
 * Who answers, for request digests: where the same name is another model, answers are never taken for each
 * other. Without a region it is the server's address, but for the simulator, which is the same anywhere.
 */
export function answeredBy({
  endpoint,
  providerName,
}: Pick<ModelServer, "endpoint" | "providerName">): AnsweredBy {
  const { region, displayUrl, protocol } = endpoint;
  return {
    provider: providerName,
    region: region ?? (providerName === "simulator" ? null : displayUrl),
    protocol,
  };
}
