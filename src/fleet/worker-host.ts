import { randomUUID } from "node:crypto";
import pLimit from "p-limit";
import type { Redis } from "ioredis";
import type { Config } from "../config.js";
import type { Log } from "../log.js";
import { ownIdentity } from "../process-identity.js";
import { HubConnection } from "./hub-connection.js";
import { Manifests, otherVersion, type AnnouncedRun } from "./manifest.js";
import { ModelPools } from "./model-pools.js";
import { RedisHub } from "./redis-hub.js";
import { ServedRun } from "./served-run.js";
import { refusingBeat } from "./worker-about.js";

/** How often the live runs are looked up: a new one is joined within 2 s. */
const POLL_MS = 1_000;
/**
 * How long a run must have been gone before it is left. A Redis that lost its data knows no run until the
 * coordinator has announced it again, and the calls under way are still wanted.
 */
const GONE_MS = 4_000;

export interface WorkerHostOptions {
  readonly redis: Redis;
  readonly config: Config;
  /** Calls under way at once in this process, over all runs. */
  readonly concurrency: number;
  /** How long calls under way may take once `signal` has aborted. */
  readonly graceMs: number;
  readonly workerId: string;
  readonly signal: AbortSignal;
  /** Ends the grace period at once: rows in flight are given back. */
  readonly hurry: AbortSignal;
  readonly log: Log;
}

export function newWorkerId(): string {
  return `worker-${randomUUID()}`;
}

/**
 * Serves every live run of a Redis until `signal` aborts.
 *
 * A run is *served* while it is announced with this version's leases and its provider is configured here;
 * else it is *refused*, said once in the log and told to its coordinator. A run that has been withdrawn, or
 * comes back with other settings, is *left*: calls under way finish first.
 */
export async function hostWorker(options: WorkerHostOptions): Promise<void> {
  const { signal, log, redis } = options;
  const connection = await HubConnection.open(redis);
  const pools = new ModelPools(options.config, options.concurrency, redis, log);
  const host = new WorkerHost(options, connection, pools);
  let isLost = false;
  const onClose = (): void => {
    if (!isLost && !signal.aborted) log.warn({}, "Redis does not answer; waiting for it");
    isLost = true;
  };
  redis.on("close", onClose);
  while (!signal.aborted) {
    try {
      await host.look();
      if (isLost) log.info({}, "Redis answers again");
      isLost = false;
    } catch (error) {
      log.debug({ error: String(error) }, "Looking for runs");
      onClose();
    }
    await sleep(POLL_MS, signal);
  }
  redis.off("close", onClose);
  await host.stop();
  await pools.close();
  connection.close();
}

interface Entry {
  readonly announcement: string;
  /** Named anew with each joining: events are numbered from 1 again. */
  readonly id: string;
  /** null: refused. */
  readonly served: ServedRun | null;
  readonly refusal: string | null;
  goneSinceMs: number | null;
}

class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #connection: HubConnection;
  readonly #manifests: Manifests;
  readonly #pools: ModelPools;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #entries = new Map<string, Entry>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #identity = ownIdentity();
  #beats = 0;
  #joined = 0;

  constructor(options: WorkerHostOptions, connection: HubConnection, pools: ModelPools) {
    this.#options = options;
    this.#connection = connection;
    this.#manifests = new Manifests(connection);
    this.#pools = pools;
    this.#limit = pLimit(options.concurrency);
  }

  /** Joins new runs, leaves old ones, and gives a sign of life to the coordinators of those that it refuses. */
  async look(): Promise<void> {
    const runs = await this.#manifests.list();
    const announced = new Map(runs.map((run) => [run.identity, run]));
    for (const [identity, entry] of this.#entries) {
      const run = announced.get(identity);
      if (run === undefined) this.#missing(identity, entry);
      else if (announcementOf(run) !== entry.announcement) this.#leave(identity, entry);
      else entry.goneSinceMs = null;
    }
    this.#beats++;
    for (const run of runs) {
      if (this.#options.signal.aborted) return;
      const entry = this.#entries.get(run.identity) ?? this.#join(run);
      if (entry.refusal !== null) await this.#refuse(run.identity, entry.id, entry.refusal);
    }
  }

  async stop(): Promise<void> {
    const { graceMs, log } = this.#options;
    const inFlight = [...this.#entries.values()].reduce(
      (sum, { served }) => sum + (served?.inFlight ?? 0),
      0,
    );
    if (inFlight > 0)
      log.info({ inFlight, graceSeconds: graceMs / 1000 }, "Stopping: calls in flight may finish");
    for (const [identity, entry] of this.#entries) this.#leave(identity, entry);
    await Promise.all(this.#leaving);
  }

  #missing(identity: string, entry: Entry): void {
    entry.goneSinceMs ??= performance.now();
    if (performance.now() - entry.goneSinceMs >= GONE_MS) this.#leave(identity, entry);
  }

  #join(run: AnnouncedRun): Entry {
    const { workerId, concurrency, redis, log } = this.#options;
    const { identity, manifest } = run;
    const runId = manifest?.runId ?? identity;
    const id = `${workerId}/${++this.#joined}`;
    const opened =
      run.manifest === null ? { refusal: otherVersion(run.version) } : this.#pools.open(run.manifest);
    const refusal = "refusal" in opened ? opened.refusal : null;
    let served: ServedRun | null = null;
    if (manifest !== null && !("refusal" in opened)) {
      served = new ServedRun({
        id,
        manifest,
        pool: opened,
        redis,
        connection: this.#connection,
        capacity: Math.min(concurrency, manifest.concurrency),
        limit: this.#limit,
        about: () => ({ refusal: null, process: this.#identity }),
        log,
      });
      log.info({ runId }, "Serving the run");
    } else log.warn({ runId, reason: refusal }, "Not serving the run");
    const entry: Entry = { announcement: announcementOf(run), id, served, refusal, goneSinceMs: null };
    this.#entries.set(identity, entry);
    return entry;
  }

  async #refuse(identity: string, id: string, refusal: string): Promise<void> {
    const hub = new RedisHub(this.#connection, identity);
    await hub.beat(id, refusingBeat(this.#beats, { refusal, process: this.#identity }));
  }

  #leave(identity: string, entry: Entry): void {
    this.#entries.delete(identity);
    const { served, id } = entry;
    const { log, graceMs, hurry } = this.#options;
    const leaving = (async () => {
      if (served !== null) {
        await served.stop(graceMs, hurry);
        log.info({ identity }, "Left the run");
      } else await new RedisHub(this.#connection, identity).leave(id).catch(() => {});
    })().catch((error: unknown) => log.warn({ identity, error: String(error) }, "Leaving the run"));
    this.#leaving.add(leaving);
    void leaving.finally(() => this.#leaving.delete(leaving));
  }
}

function announcementOf(run: AnnouncedRun): string {
  return JSON.stringify(run.manifest === null ? (run.version ?? null) : run.manifest);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
