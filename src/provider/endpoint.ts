import type { Protocol } from "../types.js";

/** From the configuration file. Names where the key is, never the key. */
export interface ProviderSettings {
  readonly name: string;
  /** What the server speaks; absent: whatever the job asks for. */
  readonly protocol?: Protocol;
  /** Free-form http(s) URL, up to and without `/chat/completions`. Beats region and workspace. */
  readonly baseUrl?: string;
  /** Name of the environment variable that holds the key. */
  readonly apiKeyEnv?: string;
  /** Model Studio workspace id: calls go to the workspace's own host. */
  readonly workspace?: string;
  /** Model Studio region for jobs that name none. */
  readonly region?: string;
}

/** Whose table of errors, models and parameters applies. */
export type Vendor = "model-studio" | "other";

/** Where calls go. Holds no key; safe to log and to store. */
export interface Endpoint {
  readonly provider: string;
  readonly protocol: Protocol;
  readonly vendor: Vendor;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /** Model Studio: the region's name, or the workspace host's region id; null elsewhere. */
  readonly region: string | null;
  /** The base URL without its query: for messages. */
  readonly displayUrl: string;
  /** Environment variables that may hold the key, in the order in which they are looked at. */
  readonly apiKeyEnvNames: readonly string[];
  readonly keyRequired: boolean;
  /** Half-price host that holds calls open up to an hour; needs long timeouts and lock renewal. */
  readonly batchChat: boolean;
  /** What a job's timeout should be here when it names none. Milliseconds. */
  readonly defaultTimeoutMs: number;
}

export interface ProviderTarget {
  readonly provider: string;
  /** A region's name, vendor id or workspace host; null: the provider's own default. */
  readonly region: string | null;
  readonly protocol: Protocol;
}

export type Environment = Readonly<Record<string, string | undefined>>;
