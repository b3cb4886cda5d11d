import { randomUUID } from "node:crypto";
import type { Config } from "../config.js";
import type { Log } from "../log.js";
import { ownIdentity } from "../process-identity.js";
import type { RedisQueueServer } from "../queue/redis-queue.js";
import { RunRegistry, type AnnouncedRun, type RunTicket, type WorkerOutage } from "../queue/registry.js";
import { PAYLOAD_VERSION } from "../queue/payload.js";
import { ModelPools } from "./model-pools.js";
import { serveRun, type ServedRun } from "./serve-run.js";

/** How often the live runs are looked up: a new one is joined within 2 s. */
const POLL_MS = 1_000;
/**
 * How long a run must have been gone before it is left. A Redis that lost its data knows no run until the
 * coordinator has announced it again, and the calls in flight are still wanted.
 */
const GONE_MS = 4_000;

export interface WorkerHostOptions {
  readonly server: RedisQueueServer;
  readonly config: Config;
  /** Calls under way at once in this process, over all runs. */
  readonly concurrency: number;
  /** How long calls in flight may take once `signal` has aborted. */
  readonly graceMs: number;
  /** Name under which this process's connection is known to the server; null: it has none. */
  readonly connectionName: string | null;
  readonly workerId: string;
  readonly signal: AbortSignal;
  /** Ends the grace period at once: rows in flight are handed back. */
  readonly hurry: AbortSignal;
  readonly log: Log;
}

export function newWorkerId(): string {
  return `worker-${randomUUID()}`;
}

/**
 * Serves every live run of a Redis until `signal` aborts.
 *
 * A run is *served* while it is announced with this version's payloads and its provider is configured here;
 * else it is *refused*, said once in the log and told to its coordinator. A run that has been withdrawn, or
 * comes back with other settings, is *left*: calls in flight finish first.
 */
export async function hostWorker(options: WorkerHostOptions): Promise<void> {
  const { signal, log, server } = options;
  const registry = new RunRegistry(server.redis);
  const pools = new ModelPools(options.config, options.concurrency, server.redis, log);
  const host = new WorkerHost(options, registry, pools);
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let isLost = false;
  const onClose = (): void => {
    if (!isLost && !signal.aborted) log.warn({}, "Redis does not answer; waiting for it");
    isLost = true;
  };
  server.redis.on("close", onClose);
  while (!signal.aborted) {
    try {
      // A look waits for as long as Redis is away; a stop does not.
      const looking = host.look();
      looking.catch(() => {});
      await Promise.race([looking, aborted]);
      if (isLost) log.info({}, "Redis answers again");
      isLost = false;
    } catch (error) {
      log.debug({ error: String(error) }, "Looking for runs");
      onClose();
    }
    await sleep(POLL_MS, signal);
  }
  server.redis.off("close", onClose);
  await host.stop();
  await pools.close();
}

interface Entry {
  readonly announcement: string;
  /** null: refused. */
  readonly served: ServedRun | null;
  readonly refusal: string | null;
  goneSinceMs: number | null;
}

class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #registry: RunRegistry;
  readonly #pools: ModelPools;
  readonly #entries = new Map<string, Entry>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #identity = ownIdentity();
  #beats = 0;
  #joined = 0;

  constructor(options: WorkerHostOptions, registry: RunRegistry, pools: ModelPools) {
    this.#options = options;
    this.#registry = registry;
    this.#pools = pools;
  }

  /** Joins new runs, leaves old ones, and gives a sign of life to the coordinators of the others. */
  async look(): Promise<void> {
    const runs = await this.#registry.runs();
    const announced = new Map(runs.map((run) => [run.runId, run]));
    for (const [runId, entry] of this.#entries) {
      const run = announced.get(runId);
      if (run === undefined) this.#missing(runId, entry);
      else if (announcementOf(run) !== entry.announcement) this.#leave(runId, entry);
      else entry.goneSinceMs = null;
    }
    this.#beats++;
    for (const run of runs) {
      if (this.#options.signal.aborted) return;
      const entry = this.#entries.get(run.runId) ?? (await this.#join(run));
      if (await entry.served?.isOver()) this.#leave(run.runId, entry);
      else await this.#report(run.runId, entry.refusal, entry.served?.down);
      await entry.served?.look();
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
    for (const [runId, entry] of this.#entries) this.#leave(runId, entry);
    await Promise.all(this.#leaving);
  }

  #missing(runId: string, entry: Entry): void {
    entry.goneSinceMs ??= performance.now();
    if (performance.now() - entry.goneSinceMs >= GONE_MS) this.#leave(runId, entry);
  }

  async #join(run: AnnouncedRun): Promise<Entry> {
    const { runId } = run;
    const opened =
      run.ticket === null ? { refusal: otherVersion(run.version) } : this.#pools.open(run.ticket);
    const refusal = "refusal" in opened ? opened.refusal : null;
    // Before the first row is taken, so that a coordinator knows whose rows they are.
    await this.#report(runId, refusal);
    let served: ServedRun | null = null;
    if (run.ticket !== null && !("refusal" in opened)) {
      served = await this.#serve(run.ticket, opened);
      this.#options.log.info({ runId }, "Serving the run");
    } else {
      this.#options.log.warn({ runId, reason: refusal }, "Not serving the run");
    }
    const entry: Entry = { announcement: announcementOf(run), served, refusal, goneSinceMs: null };
    this.#entries.set(runId, entry);
    return entry;
  }

  async #serve(
    ticket: RunTicket,
    pool: Exclude<ReturnType<ModelPools["open"]>, { refusal: string }>,
  ): Promise<ServedRun> {
    const { server, concurrency, workerId, log } = this.#options;
    return await serveRun({
      id: `${workerId}/${++this.#joined}`,
      server,
      registry: this.#registry,
      ticket,
      pool,
      concurrency: Math.min(concurrency, ticket.concurrency),
      log,
    });
  }

  async #report(runId: string, refusal: string | null, down?: WorkerOutage): Promise<void> {
    const { workerId, concurrency, connectionName } = this.#options;
    await this.#registry.reportWorker(runId, {
      workerId,
      refusal,
      concurrency,
      connectionName,
      process: this.#identity,
      beat: this.#beats,
      ...(down === undefined ? {} : { down }),
    });
  }

  #leave(runId: string, entry: Entry): void {
    this.#entries.delete(runId);
    const { served } = entry;
    const { log, graceMs, hurry, workerId } = this.#options;
    const leaving = (async () => {
      if (served !== null) await served.stop(graceMs, hurry);
      if (!this.#entries.has(runId)) await orAfter(this.#registry.forgetWorker(runId, workerId), 1_000);
      if (served !== null) log.info({ runId }, "Left the run");
    })().catch((error: unknown) => log.warn({ runId, error: String(error) }, "Leaving the run"));
    this.#leaving.add(leaving);
    void leaving.finally(() => this.#leaving.delete(leaving));
  }
}

function announcementOf(run: AnnouncedRun): string {
  return JSON.stringify(run.ticket ?? run.version ?? null);
}

function otherVersion(version: unknown): string {
  const theirs = typeof version === "number" ? `version ${version}` : "another version";
  return `the run's payloads are of ${theirs}, this worker reads version ${PAYLOAD_VERSION}; use the same promptmill on both sides`;
}

/** Nothing that a worker does on its way out may wait for a Redis that is not there. */
async function orAfter(work: Promise<unknown>, ms: number): Promise<void> {
  await Promise.race([work.catch(() => {}), new Promise((resolve) => setTimeout(resolve, ms).unref())]);
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
