import { Worker, type Job as QueueJob, type Processor, type WorkerOptions } from "bullmq";
import type { Result } from "../types.js";
import type { RowWorkerOptions, RowProcessor } from "./run-queue.js";

/** How long to wait before completing a job again when the queue server could not take it. */
const COMPLETION_RETRY_MS = 500;
/** How often to try so when the result can be settled without the queue server. */
const LOCAL_COMPLETION_TRIES = 4;
/** BullMQ's ErrorCode: job missing, lock missing, not active, lock of somebody else. */
const GONE_CODES: ReadonlySet<unknown> = new Set([-1, -2, -3, -6]);

/**
 * Settings that all workers share.
 *
 * A lock outlives an event loop blocked for half a minute and a Redis frozen as long; it is renewed at
 * half its time. A job may lose its worker many times: killing workers is routine where machines come and
 * go, and only a row that takes its worker down every time must end.
 */
const WORKER_SETTINGS = {
  lockDuration: 60_000,
  stalledInterval: 15_000,
  maxStalledCount: 25,
  runRetryDelay: 500,
  drainDelay: 5,
} satisfies Partial<WorkerOptions>;

/**
 * A BullMQ worker that never drops an answer.
 *
 * BullMQ gives a result up when the job cannot be completed: the server is out of memory or loading, the
 * lock expired, the job is gone with a lost disk. Here a server that cannot take it is asked again, with
 * the lock kept alive meanwhile, and a result whose job is gone is handed to `onStray`.
 */
export class RowWorker extends Worker<unknown, Result | null> {
  readonly #onStray: RowWorkerOptions["onStray"];
  readonly #strayIsLocal: boolean;

  constructor(
    name: string,
    processor: RowProcessor,
    options: RowWorkerOptions,
    settings: Omit<WorkerOptions, "concurrency">,
    backendFactory?: unknown,
  ) {
    const workerOptions: WorkerOptions = {
      ...WORKER_SETTINGS,
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
    this.on("error", options.onError);
    Object.defineProperty(this, "id", { value: options.id, enumerable: true });
  }

  /** Starts taking rows. */
  start(): void {
    this.run().catch((error: unknown) => this.emit("error", error as Error));
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
        const isGone = GONE_CODES.has((error as { code?: unknown }).code);
        // The journal is at hand: no need to wait for a server that is out of memory, say.
        const isHopeless = this.#strayIsLocal && tries >= LOCAL_COMPLETION_TRIES;
        if (isGone || isHopeless) {
          await this.#onStray(job.id ?? "", result);
          return undefined as unknown as QueueJob<unknown, Result | null>;
        }
        this.emit("error", error as Error);
        if (job.id !== undefined) this.lockManager.trackJob(job.id, token, Date.now());
        await this.delay(COMPLETION_RETRY_MS);
        if (job.id !== undefined) this.lockManager.untrackJob(job.id);
      }
    }
  }
}
