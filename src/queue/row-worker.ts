import { Worker, type Job as QueueJob, type Processor, type WorkerOptions } from "bullmq";
import type { Result } from "../types.js";
import { LockKeeper, type HeldLock } from "./lock-keeper.js";
import type { RowWorkerOptions, RowProcessor } from "./run-queue.js";

/** How long to wait before completing a job again when the queue server could not take it. */
const COMPLETION_RETRY_MS = 500;
/** How often to try so when the result can be settled without the queue server. */
const LOCAL_COMPLETION_TRIES = 4;
/** No job, as BullMQ's types have it. */
const NONE = undefined as unknown as QueueJob<unknown, Result | null>;
/** BullMQ's ErrorCode: job missing, lock missing, not active, lock of somebody else. */
const GONE_CODES: ReadonlySet<unknown> = new Set([-1, -2, -3, -6]);

/** Whether a job could not be moved because it, or the lock under which it was started, is gone. */
export function isGone(error: unknown): boolean {
  return GONE_CODES.has((error as { code?: unknown }).code);
}

/**
 * Settings that all workers share.
 *
 * A lock outlives an event loop blocked for half a minute and a Redis frozen as long; it is renewed at
 * a quarter of its time. A job may lose its worker many times: killing workers is routine where machines come and
 * go, and only a row that takes its worker down every time must end.
 */
const LOCK_MS = 60_000;
const WORKER_SETTINGS = {
  maxStalledCount: 25,
  runRetryDelay: 500,
  drainDelay: 5,
  skipLockRenewal: true, // see LockKeeper
} satisfies Partial<WorkerOptions>;

/**
 * A BullMQ worker that never drops an answer.
 *
 * BullMQ gives a result up when the job cannot be completed: the server is out of memory or loading, the
 * lock expired, the job is gone with a lost disk. Here a server that cannot take it is asked again, with
 * the lock kept alive meanwhile, and a result whose job is gone is handed to `onStray`.
 */
export class RowWorker extends Worker<unknown, Result | null> {
  /** Locks of rows from their start until the queue has taken what became of them. */
  readonly locks: LockKeeper;
  readonly #onStray: RowWorkerOptions["onStray"];
  readonly #strayIsLocal: boolean;
  readonly #startsAtOnce: number;
  /** Tokens under which jobs run; the next job of a place runs under the same. */
  readonly #running = new Set<string>();
  /** Places of BullMQ's loop that have a job, running or not yet. */
  #occupied = 0;
  #fetched = 0;
  #isFetching = false;
  /** Started jobs, under tokens of their own, that BullMQ's loop has not taken yet. */
  #ahead: QueueJob<unknown, Result | null>[] = [];

  constructor(
    name: string,
    processor: RowProcessor,
    options: RowWorkerOptions,
    settings: Omit<WorkerOptions, "concurrency">,
    backendFactory?: unknown,
    renew: (locks: readonly HeldLock[], lockMs: number) => Promise<void> = () => Promise.resolve(),
  ) {
    const lockMs = options.lockMs ?? LOCK_MS;
    const workerOptions: WorkerOptions = {
      ...WORKER_SETTINGS,
      lockDuration: lockMs,
      stalledInterval: lockMs / 4,
      ...settings,
      concurrency: options.concurrency,
      autorun: false,
      settings: {
        backoffStrategy: (attemptsMade, _type, error) =>
          options.backoff(attemptsMade, error ?? new Error("unknown")),
      },
    };
    super(name, processor as Processor<unknown, Result | null>, workerOptions, backendFactory as never);
    this.#onStray = options.onStray;
    this.#strayIsLocal = options.strayIsLocal;
    this.#startsAtOnce = options.startsAtOnce ?? 1;
    this.locks = new LockKeeper((locks) => renew(locks, lockMs), lockMs / 4);
    this.on("error", options.onError);
    this.on("closed", () => this.locks.close());
    Object.defineProperty(this, "id", { value: options.id, enumerable: true });
  }

  /** Starts taking rows. */
  start(): void {
    this.run().catch((error: unknown) => this.emit("error", error as Error));
  }

  /**
   * BullMQ's loop fetches job after job, each with a round trip: a thousand free places took seconds to fill.
   * Here the fetch of one takes others along, as many as there are places for, in the same command.
   */
  protected override async moveToActive(
    token: string,
    name?: string,
  ): Promise<QueueJob<unknown, Result | null>> {
    // A job that was given back asks for the next one of its place itself.
    if (this.#running.has(token)) return this.#ahead.shift() ?? (await super.moveToActive(token, name));
    let job = this.#ahead.shift();
    // The loop fetches until its places are full before it begins the first job: it is sent on with what it has.
    // Where each fetch takes the process's own time, calls would begin late between them.
    if (this.#startsAtOnce > 1 && job === undefined && this.#occupied > this.#running.size) return NONE;
    job ??= await this.#fetchMany(token, name);
    if (job !== undefined) this.#occupied++;
    return job;
  }

  /** Returns the first job and keeps the others for BullMQ's loop, which comes back for them at once. */
  async #fetchMany(token: string, name?: string): Promise<QueueJob<unknown, Result | null>> {
    const places = Math.min(this.concurrency - this.#occupied, this.#startsAtOnce);
    if (places <= 1) return await super.moveToActive(token, name);
    this.#isFetching = true;
    const first = super.moveToActive(token, name);
    const others = await Promise.allSettled([
      first,
      ...Array.from({ length: places - 1 }, () => this.#fetch(`${this.id}:ahead-${this.#fetched++}`, name)),
    ]);
    this.#isFetching = false;
    for (const other of others.slice(1)) {
      if (other.status === "rejected") this.emit("error", other.reason as Error);
      else if (other.value !== undefined) this.#ahead.push(other.value);
    }
    if (this.isPaused() || this.closing) await this.#handBackAhead();
    return await first;
  }

  /**
   * A queue that is found empty makes BullMQ's loop wait for the next job to be added, for seconds. It must not
   * while there are jobs ahead, which left nothing for a row that completed meanwhile.
   */
  protected override nextJobFromJobData(
    ...[jobData, jobId, token = ""]: Parameters<Worker<unknown, Result | null>["nextJobFromJobData"]>
  ): Promise<QueueJob<unknown, Result | null>> {
    const hasAhead = this.#isFetching || this.#ahead.length > 0;
    if (!jobData && hasAhead && this.#running.has(token)) return Promise.resolve(NONE);
    // Of BullMQ's own, a row needs what ends a wait for jobs; the rest looks after jobs that repeat.
    if (!jobData || jobId === undefined || this["drained"])
      return super.nextJobFromJobData(jobData, jobId, token);
    const job = this.createJob(jobData, jobId);
    job.token = token;
    return Promise.resolve(job);
  }

  async #fetch(token: string, name?: string): Promise<QueueJob<unknown, Result | null> | undefined> {
    const [data, jobId] = await this.backend.moveToActive(token, name);
    return data ? await this.nextJobFromJobData(data, jobId, token) : undefined;
  }

  /** For a processor that takes no more rows: it says what becomes of them. */
  async #handBackAhead(): Promise<void> {
    const jobs = this.#ahead;
    this.#ahead = [];
    await Promise.all(jobs.map((job) => this.processJob(job, job.token ?? "", () => false)));
  }

  /** The processor must hand back whatever it is given from now on. */
  override async pause(doNotWaitActive?: boolean): Promise<void> {
    await super.pause(doNotWaitActive);
    await this.#handBackAhead();
  }

  override async processJob(
    job: QueueJob<unknown, Result | null>,
    token: string,
    fetchNextCallback?: () => boolean,
  ): Promise<void | QueueJob<unknown, Result | null>> {
    const jobId = job.id ?? "";
    this.locks.hold(jobId, token);
    this.#running.add(token);
    let next: void | QueueJob<unknown, Result | null> = undefined;
    try {
      // A job that stalled too often, say, which its worker is to fail.
      if (job.deferredFailure) next = await super.processJob(job, token, fetchNextCallback);
      else next = await this.#process(job, token, fetchNextCallback);
      return next;
    } finally {
      if (!next) this.#occupied--;
      this.#running.delete(token);
      this.locks.release(jobId, token);
    }
  }

  /** As BullMQ's `processJob`, without the promises and closures of its telemetry and lock manager, on every row's way. */
  async #process(
    job: QueueJob<unknown, Result | null>,
    token: string,
    fetchNextCallback?: () => boolean,
  ): Promise<QueueJob<unknown, Result | null>> {
    try {
      const result = await this.processFn(job, token);
      return await this.handleCompleted(result, job, token, fetchNextCallback);
    } catch (error) {
      return await this["retryIfFailed"](
        () => this.handleFailed(error as Error, job, token, fetchNextCallback),
        { delayInMs: this.opts.runRetryDelay, onlyEmitError: true },
      );
    }
  }

  async #giveToStrays(jobId: string, result: Result | null): Promise<boolean> {
    try {
      await this.#onStray(jobId, result);
      return true;
    } catch (error) {
      this.emit("error", error as Error); // no room there either: all is tried again
      return false;
    }
  }

  protected override async handleCompleted(
    result: Result | null,
    job: QueueJob<unknown, Result | null>,
    token: string,
    fetchNextCallback: () => boolean = () => true,
  ): Promise<QueueJob<unknown, Result | null>> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#complete(result, job, token, fetchNextCallback);
      } catch (error) {
        // The journal is at hand: no need to wait for a server that is out of memory, say.
        const isHopeless = this.#strayIsLocal && tries >= LOCAL_COMPLETION_TRIES;
        if ((isGone(error) || isHopeless) && (await this.#giveToStrays(job.id ?? "", result))) {
          return NONE;
        }
        this.emit("error", error as Error);
        await this.delay(COMPLETION_RETRY_MS);
      }
    }
  }

  /** As BullMQ's `handleCompleted`, without what is not for rows. */
  async #complete(
    result: Result | null,
    job: QueueJob<unknown, Result | null>,
    token: string,
    fetchNextCallback: () => boolean,
  ): Promise<QueueJob<unknown, Result | null>> {
    if (this.backend.closing) return NONE;
    const fetchNext = fetchNextCallback() && !(this.closing || this.paused);
    const { removeOnComplete = false } = job.opts;
    const completed = await this.backend.moveToCompleted(job, result, removeOnComplete, token, fetchNext);
    if (!Array.isArray(completed.result)) return NONE;
    const [jobData, jobId, rateLimitDelay, delayUntil] = completed.result;
    this["updateDelays"](rateLimitDelay, delayUntil);
    return await this.nextJobFromJobData(jobData, jobId, token);
  }
}
