import type { HubConnection } from "../../fleet/hub-connection.js";
import { Manifests, type Manifest } from "../../fleet/manifest.js";
import { hasWorkerEnded, workerAbout, type WorkerAbout } from "../../fleet/worker-about.js";
import type { ResolvedJob } from "../../job/resolved-job.js";
import type { Log } from "../../log.js";
import type { CoordinatorState } from "../../protocol/coordinator-state.js";
import { PROTOCOL_VERSION } from "../../protocol/events.js";
import type { Beat } from "../../protocol/hub.js";
import type { RunLoad } from "../held-back.js";

/** How often a run is announced: a Redis that lost its data knows of none. */
const ANNOUNCE_MS = 2_000;
/** How long workers may take to find a run before their absence is said. */
const PATIENCE_MS = 3_000;
/** After so long without a sign of life a worker no longer counts as there. */
const SILENT_MS = 10_000;

export interface FleetOptions {
  readonly connection: HubConnection;
  readonly state: CoordinatorState;
  readonly identity: string;
  readonly runId: string;
  readonly job: ResolvedJob;
  readonly providerName: string;
  /** This process calls the model itself: it can do without workers. */
  readonly callsModel: boolean;
  readonly log: Log;
}

/** Lets the workers of a Redis find a run, and tells the user who serves it. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #manifests: Manifests;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  #said = "";
  #isWithdrawn = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#manifests = new Manifests(options.connection);
    this.#timer = setInterval(() => void this.#announce(), ANNOUNCE_MS);
    void this.#announce();
  }

  /** Workers elsewhere that gave a sign of life in the last seconds. */
  workers(): WorkerAbout[] {
    const now = this.#options.state.world.now();
    const there: WorkerAbout[] = [];
    for (const { beat, at } of this.#options.state.seen.values()) {
      const about = workerAbout(beat);
      if (now - at < SILENT_MS && about !== null && !hasWorkerEnded(beat)) there.push(about);
    }
    return there;
  }

  servingAndRefusing(): NonNullable<RunLoad["remote"]> {
    const workers = this.workers();
    const refusals = workers.flatMap(({ refusal }) => refusal ?? []);
    return { serving: workers.length - refusals.length, refusals: [...new Set(refusals)] };
  }

  /** True only when it is certain that a worker's process has ended. */
  hasEnded(beat: Beat): boolean {
    return hasWorkerEnded(beat);
  }

  /** Nobody joins the run any more. */
  async withdraw(): Promise<void> {
    this.close();
    await this.#manifests.withdraw(this.#options.identity);
  }

  close(): void {
    this.#isWithdrawn = true;
    clearInterval(this.#timer);
  }

  async #announce(): Promise<void> {
    if (!this.#options.state.isReady || this.#isWithdrawn) return;
    await this.#manifests.announce(this.#manifest()).catch(() => {});
    this.#say();
  }

  #manifest(): Manifest {
    const { identity, runId, job, providerName } = this.#options;
    const { requestsPerMinute, tokensPerMinute } = job.limits;
    return {
      v: PROTOCOL_VERSION,
      identity,
      runId,
      provider: providerName,
      region: providerName === job.provider ? job.region : null,
      protocol: job.protocol,
      attempts: job.attempts,
      timeoutMs: job.timeoutMs,
      concurrency: job.concurrency,
      limits: { requestsPerMinute, tokensPerMinute },
    };
  }

  #say(): void {
    const { runId, log, callsModel } = this.#options;
    const { serving, refusals } = this.servingAndRefusing();
    const state = `${serving} ${refusals.join("; ")}`;
    if (state === this.#said) return;
    if (serving > 0) log.info({ runId, workers: serving }, "Workers serve the run");
    else if (callsModel || performance.now() - this.#startedAt < PATIENCE_MS) return;
    else if (refusals.length > 0) log.warn({ runId, refusals }, "No worker can serve this run");
    else log.warn({ runId }, "No worker serves this run; start one: promptmill worker --queue …");
    this.#said = state;
  }
}
