import { EventEmitter } from "node:events";
import { ErrorCode, type IQueueBackend, type JobJson } from "bullmq";

/** What BullMQ asks of its store for leases: added, claimed, completed, counted, removed. */
type LeaseBackend = Pick<
  IQueueBackend,
  | "addJobs"
  | "clientName"
  | "close"
  | "closing"
  | "disconnect"
  | "drain"
  | "getCounts"
  | "getState"
  | "keys"
  | "moveToActive"
  | "moveToCompleted"
  | "obliterate"
  | "pause"
  | "qualifiedName"
  | "remove"
  | "setQueueMeta"
  | "toKey"
  | "waitUntilReady"
>;

/** A claimed job, and the token under which it was claimed. */
interface Claim {
  readonly job: JobJson;
  readonly token: string;
}

/**
 * BullMQ's store in the memory of this process, by the interface that BullMQ has for stores of other makers.
 *
 * It ends with the process. That is enough, because a run's journal knows which rows are to be put again.
 */
export class EmbeddedBackend extends EventEmitter implements LeaseBackend {
  readonly qualifiedName: string;
  readonly keys = {};
  closing: Promise<void> | undefined;
  /** First in, first out. */
  readonly #waiting = new Map<string, JobJson>();
  readonly #claimed = new Map<string, Claim>();

  constructor(name: string) {
    super();
    this.qualifiedName = name;
  }

  toKey(type: string): string {
    return `${this.qualifiedName}:${type}`;
  }

  clientName(suffix = ""): string {
    return this.qualifiedName + suffix;
  }

  waitUntilReady(): Promise<void> {
    return Promise.resolve();
  }

  addJobs(entries: readonly { job: JobJson; jobId: string }[]): Promise<string[]> {
    for (const { job, jobId } of entries) {
      if (!this.#waiting.has(jobId) && !this.#claimed.has(jobId)) this.#waiting.set(jobId, job);
    }
    return Promise.resolve(entries.map(({ jobId }) => jobId));
  }

  /** BullMQ's order: the job, its id, a rate limit's delay, the next delayed job's time. */
  moveToActive(token: string): Promise<[JobJson | null, string, number, number]> {
    const [next] = this.#waiting;
    if (next === undefined) return Promise.resolve([null, "", 0, 0]);
    const [id, job] = next;
    this.#waiting.delete(id);
    this.#claimed.set(id, { job, token });
    return Promise.resolve([job, id, 0, 0]);
  }

  moveToCompleted(
    job: { readonly id?: string },
    _returnValue: unknown,
    _removeOnComplete: unknown,
    token: string,
  ): Promise<{ result: undefined; finishedOn: number }> {
    const id = job.id ?? "";
    if (this.#claimed.get(id)?.token !== token) {
      const error = new Error(`The job ${id} is not claimed under this token.`);
      return Promise.reject(Object.assign(error, { code: ErrorCode.JobNotExist }));
    }
    this.#claimed.delete(id);
    return Promise.resolve({ result: undefined, finishedOn: Date.now() });
  }

  getState(id: string): Promise<"waiting" | "active" | "unknown"> {
    if (this.#waiting.has(id)) return Promise.resolve("waiting");
    return Promise.resolve(this.#claimed.has(id) ? "active" : "unknown");
  }

  getCounts(types: readonly string[]): Promise<number[]> {
    return Promise.resolve(types.map((type) => (type === "waiting" ? this.#waiting.size : 0)));
  }

  /** 0, and nothing removed, for a job that is claimed. */
  remove(id: string): Promise<number> {
    if (this.#claimed.has(id)) return Promise.resolve(0);
    this.#waiting.delete(id);
    return Promise.resolve(1);
  }

  drain(): Promise<void> {
    this.#waiting.clear();
    return Promise.resolve();
  }

  obliterate(): Promise<number> {
    this.#waiting.clear();
    this.#claimed.clear();
    return Promise.resolve(0);
  }

  /** Nobody else puts or claims while a queue is obliterated, the only time at which it is paused. */
  pause(): Promise<void> {
    return Promise.resolve();
  }

  /** There is no event stream to be kept short. */
  setQueueMeta(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    this.closing ??= this.obliterate().then(() => {});
    return this.closing;
  }

  disconnect(): Promise<void> {
    return this.close();
  }
}
