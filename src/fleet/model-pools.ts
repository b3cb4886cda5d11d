import type { Redis } from "ioredis";
import type { Config } from "../config.js";
import { UsageError } from "../errors.js";
import type { Log } from "../log.js";
import type { Manifest } from "./manifest.js";
import { createProvider, readApiKey, resolveEndpoint, type Provider } from "../provider/index.js";
import { beginsSlowly, paceAccount } from "../worker/pace-account.js";
import { createPacer } from "../worker/pace-create.js";
import type { Pacer } from "../worker/pacer.js";

/** What runs that call the same model server share in one process. */
export interface ModelPool {
  readonly provider: Provider;
  /** The pace of one run. Runs share what throttling teaches, and their limits, through Redis. */
  readonly openPacer: (limits: Manifest["limits"], concurrency: number) => Pacer;
}

/**
 * The model servers that a worker may call: those of its own configuration and environment. A run names a
 * provider; where that is, and with which key, is decided here.
 */
export class ModelPools {
  readonly #config: Config;
  readonly #log: Log;
  readonly #connections: number;
  readonly #redis: Redis;
  readonly #pools = new Map<string, ModelPool>();

  constructor(config: Config, connections: number, redis: Redis, log: Log) {
    this.#config = config;
    this.#redis = redis;
    this.#log = log;
    this.#connections = connections;
  }

  /** The pool for a run's calls, or in a few words why there is none. */
  open(
    manifest: Pick<Manifest, "provider" | "region" | "protocol">,
  ): ModelPool | { readonly refusal: string } {
    const { providers, environment } = this.#config;
    try {
      const endpoint = resolveEndpoint(manifest, providers, environment);
      const apiKey = readApiKey(endpoint, environment);
      const name = `${endpoint.provider} ${endpoint.protocol} ${endpoint.baseUrl}`;
      const known = this.#pools.get(name);
      if (known !== undefined) return known;
      const pool: ModelPool = {
        provider: createProvider(endpoint, {
          apiKey,
          connections: this.#connections,
          log: (event) => this.#log.warn(event, "The model server said something unknown"),
        }),
        openPacer: (limits, concurrency) =>
          createPacer({
            redis: this.#redis,
            account: paceAccount(endpoint, apiKey),
            limits: limits ?? {},
            concurrency,
            beginsSlowly: beginsSlowly(endpoint),
            log: this.#log,
          }),
      };
      this.#pools.set(name, pool);
      return pool;
    } catch (error) {
      if (error instanceof UsageError) return { refusal: error.message };
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(({ provider }) => provider.close()));
  }
}
