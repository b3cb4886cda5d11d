import { randomUUID } from "node:crypto";
import {
  ErrorCode,
  Queue,
  Worker,
  type BackendFactory,
  type IQueueBackend,
  type Job as QueueJob,
} from "bullmq";
import type { ClaimedLease, LeaseJob, LeaseQueue, LeaseState } from "./lease-queue.js";

/** What a queue job carries: one string, so that no store reorders or rounds what is in it. */
interface LeaseData {
  readonly lease: string | null;
}

/**
 * BullMQ's lock never frees a lease: leases are redelivered by the coordinator, and their rows are guarded by the start
 * gate. So it is longer than any lease lasts, and is not renewed.
 */
const LOCK_MS = 24 * 60 * 60 * 1000;
/** Nobody reads BullMQ's event stream. */
const MAX_EVENTS = 10;
const JOB_NAME = "lease";
const NO_LONGER_OURS: ReadonlySet<unknown> = new Set([
  ErrorCode.JobNotExist,
  ErrorCode.JobLockNotExist,
  ErrorCode.JobNotInState,
  ErrorCode.JobLockMismatch,
]);

/** A queue of leases on any of BullMQ's stores, by BullMQ's public calls alone. */
export class BullmqLeaseQueue<Connection> implements LeaseQueue {
  readonly #queue: Queue<LeaseData, string, string, LeaseData, string, string, IQueueBackend, Connection>;
  readonly #worker: Worker<LeaseData, string, string, IQueueBackend, number, Connection>;
  readonly #token = randomUUID();
  #prepared: Promise<unknown> | undefined;

  constructor(
    name: string,
    connection: Connection,
    createBackend: BackendFactory<IQueueBackend, Connection>,
  ) {
    const options = { connection, lockDuration: LOCK_MS };
    // The queue and the worker share one backend. The worker would open a second connection to block on.
    const backend = createBackend(name, options);
    this.#queue = new Queue(name, { ...options, skipMetasUpdate: true }, () => backend);
    this.#worker = new Worker(
      name,
      null,
      { ...options, autorun: false, skipStalledCheck: true },
      () => backend,
    );
    // Failures reach whoever awaits the call. Without a listener they would end the process as well.
    this.#queue.on("error", () => {});
    this.#worker.on("error", () => {});
  }

  async put(leases: readonly LeaseJob[]): Promise<void> {
    if (leases.length === 0) return;
    await this.#prepare();
    await this.#queue.addBulk(
      leases.map(({ id, text }) => ({
        name: JOB_NAME,
        data: { lease: text },
        opts: { jobId: id, removeOnComplete: true, removeOnFail: true },
      })),
    );
  }

  /**
   * Before the first put: a `destroy` that was killed half-way leaves the queue paused, and BullMQ would keep 10,000
   * events. Not when the queue is opened, because a late worker would leave these keys behind.
   */
  #prepare(): Promise<unknown> {
    this.#prepared ??= Promise.all([
      this.#queue.getBackend().setQueueMeta({ "opts.maxLenEvents": MAX_EVENTS }),
      this.#queue.resume(),
    ]).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async claim(): Promise<ClaimedLease | null> {
    // BullMQ's type leaves out that there may be none.
    const job = (await this.#worker.getNextJob(this.#token, { block: false })) as
      QueueJob<LeaseData> | undefined;
    if (job?.id === undefined) return null;
    return { id: job.id, text: job.data.lease ?? null, complete: () => this.#complete(job) };
  }

  async #complete(job: QueueJob<LeaseData>): Promise<void> {
    try {
      await job.moveToCompleted("", this.#token, false);
    } catch (error) {
      if (!NO_LONGER_OURS.has((error as { code?: unknown }).code)) throw error;
    }
  }

  async state(id: string): Promise<LeaseState> {
    const state = await this.#queue.getJobState(id);
    if (state === "active") return "claimed";
    return state === "waiting" ? "waiting" : "gone";
  }

  async remove(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#queue.remove(id)));
  }

  async drain(): Promise<void> {
    await this.#queue.drain();
  }

  async waiting(): Promise<number> {
    return await this.#queue.getWaitingCount();
  }

  async destroy(): Promise<void> {
    this.#prepared = undefined;
    await this.#queue.obliterate({ force: true });
  }

  async close(): Promise<void> {
    await this.#worker.close();
    await this.#queue.close();
  }
}
