import { Worker, type Job as QueueJob, type Processor, type WorkerOptions } from "bullmq";
import type { Result } from "../types.js";
import { LockKeeper, type HeldLock } from "./lock-keeper.js";
import type { RowWorkerOptions, RowProcessor } from "./run-queue.js";

/** How long to wait before completing a job again when the queue server could not take it. */
const COMPLETION_RETRY_MS = 500;
/** How often to try so when the result can be settled without the queue server. */
const LOCAL_COMPLETION_TRIES = 4;
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
    this.locks = new LockKeeper((locks) => renew(locks, lockMs), lockMs / 4);
    this.on("error", options.onError);
    this.on("closed", () => this.locks.close());
    Object.defineProperty(this, "id", { value: options.id, enumerable: true });
  }

  /** Starts taking rows. */
  start(): void {
    this.run().catch((error: unknown) => this.emit("error", error as Error));
  }

  override async processJob(
    job: QueueJob<unknown, Result | null>,
    token: string,
    fetchNextCallback?: () => boolean,
  ): Promise<void | QueueJob<unknown, Result | null>> {
    const jobId = job.id ?? "";
    this.locks.hold(jobId, token);
    try {
      return await super.processJob(job, token, fetchNextCallback);
    } finally {
      this.locks.release(jobId, token);
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
    fetchNextCallback?: () => boolean,
    span?: Parameters<Worker["handleCompleted"]>[4],
  ): Promise<QueueJob<unknown, Result | null>> {
    for (let tries = 1; ; tries++) {
      try {
        return await super.handleCompleted(result, job, token, fetchNextCallback, span);
      } catch (error) {
        // The journal is at hand: no need to wait for a server that is out of memory, say.
        const isHopeless = this.#strayIsLocal && tries >= LOCAL_COMPLETION_TRIES;
        if ((isGone(error) || isHopeless) && (await this.#giveToStrays(job.id ?? "", result))) {
          return undefined as unknown as QueueJob<unknown, Result | null>;
        }
        this.emit("error", error as Error);
        await this.delay(COMPLETION_RETRY_MS);
      }
    }
  }
}
