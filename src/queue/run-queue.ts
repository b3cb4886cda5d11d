import type { Job as QueueJob, Queue } from "bullmq";
import type { Result } from "../types.js";
import type { QueuePayload } from "./payload.js";
import type { RowWorker } from "./row-worker.js";

/** The queue server that a URL chose: Redis, or the database in this process. */
export interface QueueServer {
  readonly kind: "redis" | "embedded";
  /** For messages: no user, no password. */
  readonly displayUrl: string;
  /** Embedded only: the database directory, for a resume. */
  readonly directory: string | null;
  openRunQueue(runId: string): RunQueue;
  close(): Promise<void>;
}

/** A queue job that ended but has not been forgotten: its result waits to be settled. */
export interface FinishedJob {
  readonly jobId: string;
  /** null: the queue itself gave the job up (its workers died too often). */
  readonly result: Result | null;
  /** Only when `result` is null: what the job was. */
  readonly payload: QueuePayload | null;
  readonly attemptsStarted: number;
  /** Only when `result` is null: what the queue says about it. */
  readonly failedReason: string | null;
}

/** A queue job that no worker has finished. */
export interface PendingJob {
  readonly jobId: string;
  /** Lock token of the worker that holds it, when one does. */
  readonly lockToken: string | null;
}

/**
 * One run's queue, as its coordinator uses it.
 *
 * A finished job stays in the queue with its result until `forget`: first the journal, then the queue. So
 * there is no moment in which an answered row could be started again.
 */
export interface RunQueue {
  readonly runId: string;
  readonly queue: Queue;
  /** How many rows `enqueue` takes best in one step. */
  readonly batchRows: number;
  /** Adds rows in one step; those already there are left as they are. */
  enqueue(payloads: readonly QueuePayload[], attempts: number): Promise<void>;
  /** Finished jobs whose ids `skip` does not want, oldest first, at most `limit`. */
  finished(limit: number, skip: (jobId: string) => boolean): Promise<FinishedJob[]>;
  /** Drops finished jobs whose results are on disk. Unknown ids are ignored. */
  forget(jobIds: readonly string[]): Promise<void>;
  /** Drops jobs in any state, running ones included: for rows that must not be called again. */
  drop(jobIds: readonly string[]): Promise<void>;
  /** Everything waiting, delayed or active. At most a window of rows. */
  pending(): Promise<PendingJob[]>;
  /** Which of these rows the queue knows in any state. */
  known(jobIds: readonly string[]): Promise<Set<string>>;
  /** Gives an active job of a worker known to be dead back to the waiting ones. */
  handBack(jobId: string, lockToken: string): Promise<void>;
  createWorker(processor: RowProcessor, options: RowWorkerOptions): RowWorker;
  /** Results that no longer found their job; see RowWorker. Empty on the embedded queue. */
  strays(): Promise<StrayResult[]>;
  forgetStrays(strays: readonly StrayResult[]): Promise<void>;
  /** Removes every trace of the run from the queue server. */
  destroy(): Promise<void>;
  /** Embedded: gives back the space of forgotten jobs. No-op on Redis. */
  compact(): Promise<void>;
  close(): Promise<void>;
}

export interface StrayResult {
  readonly raw: string;
  /** null: nothing that a worker wrote. */
  readonly result: Result | null;
}

/** Returns what the queue must keep for the coordinator, or null when the row is settled already. */
export type RowProcessor = (job: QueueJob, token: string) => Promise<Result | null>;

export interface RowWorkerOptions {
  /** Begins every lock token of this worker, so that a dead worker's locks can be told. */
  readonly id: string;
  readonly concurrency: number;
  /** Turns a failed attempt into the milliseconds until the next one. */
  readonly backoff: (attemptsMade: number, error: Error) => number;
  /**
   * Told about a job that could not be completed: it, or its lock, is gone. Takes its result, when the row is
   * not settled yet.
   */
  readonly onStray: (jobId: string, result: Result | null) => Promise<void>;
  /** Whether `onStray` needs no room on the queue server, so that it helps when that is out of memory. */
  readonly strayIsLocal: boolean;
  readonly onError: (error: Error) => void;
  /** How many jobs can be started in one round trip. @default 1 */
  readonly startsAtOnce?: number;
  /** How long a lock lasts without renewal. @default 60,000 */
  readonly lockMs?: number;
}
