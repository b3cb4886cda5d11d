import type pLimit from "p-limit";
import type { Redis } from "ioredis";
import type { Log } from "../log.js";
import { RemoteWorker } from "../protocol/remote-worker.js";
import { timing } from "../protocol/timing.js";
import { ProtocolLeases } from "../queue/protocol-leases.js";
import { openRedisLeaseQueue } from "../queue/redis-lease-queue.js";
import { Driver, type Perform } from "../worker/driver.js";
import type { Pacer } from "../worker/pacer.js";
import { RowCaller } from "../worker/row-caller.js";
import { asUnanswered, type HubConnection } from "./hub-connection.js";
import { parseLease } from "./lease-text.js";
import type { Manifest } from "./manifest.js";
import type { ModelPool } from "./model-pools.js";
import { RedisHub } from "./redis-hub.js";
import type { WorkerAbout, WorkerOutage } from "./worker-about.js";

/** How long a server may take to be told that a worker has gone. */
const LEAVE_MS = 2_000;

export interface ServedRunOptions {
  /** Unique for each time that a run is joined: events are numbered anew. */
  readonly id: string;
  readonly manifest: Manifest;
  readonly pool: ModelPool;
  readonly redis: Redis;
  readonly connection: HubConnection;
  /** Calls at once, at most. */
  readonly capacity: number;
  readonly limit: ReturnType<typeof pLimit>;
  readonly about: () => WorkerAbout;
  readonly log: Log;
}

/** One run that this process works on for a coordinator elsewhere. */
export class ServedRun {
  readonly #options: ServedRunOptions;
  readonly #pacer: Pacer;
  readonly #caller: RowCaller;
  readonly #worker: RemoteWorker;
  readonly #hub: RedisHub;
  readonly #queue: ReturnType<typeof openRedisLeaseQueue>;
  readonly #driver: Driver;
  readonly #served: Promise<unknown>;

  constructor(options: ServedRunOptions) {
    const { id, manifest, pool, redis, connection, capacity, about, log } = options;
    const { identity, runId } = manifest;
    this.#options = options;
    this.#hub = new RedisHub(connection, identity);
    this.#queue = openRedisLeaseQueue(redis, identity);
    const leases = new ProtocolLeases({
      queue: this.#queue,
      encode: null,
      decode: (_fence, _number, text) => (text === null ? null : parseLease(identity, text)),
      asUnanswered,
    });
    const perform: Perform = (effect) => {
      if (effect.kind === "hub") return effect.step(this.#hub);
      if (effect.kind === "queue") return effect.step(leases);
      throw new Error(`a worker has no ${effect.kind}`);
    };
    this.#driver = new Driver(perform);
    this.#pacer = pool.openPacer(manifest.limits, capacity);
    this.#caller = new RowCaller(
      {
        provider: pool.provider,
        pacer: this.#pacer,
        attempts: manifest.attempts,
        timeoutMs: manifest.timeoutMs,
        limit: options.limit,
        complete: (lease) => void leases.complete(lease).catch(() => {}),
        wake: this.#driver.wake,
        onRunError: (error) => {
          log.error({ runId, code: error.code, reason: error.message }, "The run is halted");
          this.#worker.halt(error);
        },
        onBug: (error) => {
          log.error({ runId, error: String(error) }, "The run is halted");
          this.#worker.halt({ code: "internal_error", message: `A worker failed: ${String(error)}` });
        },
      },
      () => this.#worker.core,
    );
    this.#worker = new RemoteWorker(
      { id, capacity, timing: timing(manifest.timeoutMs), about: () => ({ ...about(), ...this.#outage() }) },
      this.#caller,
    );
    this.#served = Promise.all([
      this.#driver.run(this.#worker.serve()),
      this.#driver.run(this.#worker.claimLeases()),
    ]).catch((error: unknown) => log.error({ runId, error: String(error) }, "Serving the run has failed"));
  }

  get inFlight(): number {
    return this.#worker.core.calls.size;
  }

  /** Finishes calls under way up to `graceMs`, or until `hurry` aborts, and gives the other rows back. */
  async stop(graceMs: number, hurry: AbortSignal): Promise<void> {
    this.#worker.stop();
    this.#caller.leave();
    const hurried = new Promise((resolve) => hurry.addEventListener("abort", resolve, { once: true }));
    await within(Promise.race([this.#served, hurried]), hurry.aborted ? 0 : graceMs);
    this.#caller.cut();
    await within(this.#served, LEAVE_MS);
    this.#driver.close();
    await within(
      this.#hub.leave(this.#options.id).catch(() => {}),
      LEAVE_MS,
    );
    this.#pacer.close();
    await within(
      this.#queue.close().catch(() => {}),
      LEAVE_MS,
    );
  }

  #outage(): { readonly outage?: WorkerOutage } {
    const { holder, downForMs, wasAnswered } = this.#pacer.status();
    if (holder?.kind !== "endpoint_down") return {};
    return { outage: { code: holder.code, forMs: downForMs, probeInMs: holder.probeInMs, wasAnswered } };
  }
}

/** To a server that is not there nothing can be said any more. */
async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, patience]);
  clearTimeout(timer);
}
