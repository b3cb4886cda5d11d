import type pLimit from "p-limit";
import type { ProviderError, Provider } from "../provider/provider.js";
import type { RowWorker } from "../queue/row-worker.js";
import type { QueuePayload } from "../queue/payload.js";
import type { RunQueue } from "../queue/run-queue.js";
import type { Result } from "../types.js";
import { CallSlots } from "./call-slots.js";
import type { Pacer } from "./pacer.js";
import { backoffOf, createRowProcessor } from "./row-processor.js";

/** How long rows handed back at a stop may take to get there. */
const HAND_BACK_MS = 5_000;
/**
 * Rows at hand beyond those being called, as a part of these: enough for as long as a row that is settled
 * takes to leave the queue and make room for the next, at answers after half a second.
 * Other workers cannot have them, which matters to the last rows of a run, so it is no more.
 */
const SPARE = 1 / 8;

/** How many rows a process has at hand that alone works on a run of this concurrency. */
export function placesFor(concurrency: number): number {
  return concurrency + Math.floor(concurrency * SPARE);
}

export interface RunWorkerOptions {
  readonly id: string;
  /** Calls at once, at most. */
  readonly concurrency: number;
  /** Whether this worker may keep rows at hand, since no other has a claim on them. */
  readonly isAlone: boolean;
  readonly provider: Provider;
  readonly pacer: Pacer;
  readonly attempts: number;
  readonly timeoutMs: number;
  /** Over all runs that share it; absent: this run's concurrency is all. */
  readonly limit?: ReturnType<typeof pLimit>;
  readonly lockMs?: number;
  readonly mayStart?: (jobId: string, token: string, isRestart: boolean) => Promise<boolean>;
  /** As in the row processor. */
  readonly settle?: (result: Result) => Promise<boolean>;
  readonly onStray: (jobId: string, result: Result | null) => Promise<void>;
  readonly strayIsLocal: boolean;
  readonly onRunError: (error: ProviderError) => Promise<void>;
  readonly fundMore?: (payload: QueuePayload, starts: number) => number | null;
  readonly onAttemptFailed?: (error: ProviderError) => void;
  readonly onError: (error: Error) => void;
}

/** Workers of one run in this process. */
export interface RunWorker {
  /** Rows being called, or waiting for the pace. */
  readonly inFlight: number;
  /** Whether a row is being worked on here under this lock token. */
  holds(jobId: string, token: string): boolean;
  /** Takes no further row and hands back those whose call has not begun; calls in flight go on. */
  pause(): void;
  /**
   * Takes no further row, hands back those whose call has not begun, waits for calls in flight up to
   * `graceMs` or until `hurry` aborts, then aborts them and hands their rows back as well.
   */
  stop(graceMs: number, hurry?: AbortSignal): Promise<void>;
}

/** Starts taking rows of one run and calling the model for them. */
export function startRunWorker(queue: RunQueue, options: RunWorkerOptions): RunWorker {
  const aborter = new AbortController();
  const leaving = new AbortController();
  const { mayStart, settle } = options;
  const slots = new CallSlots(options.concurrency);
  const processor = createRowProcessor({
    provider: options.provider,
    pacer: options.pacer,
    attempts: options.attempts,
    timeoutMs: options.timeoutMs,
    slots,
    ...(settle === undefined ? {} : { settle }),
    ...(options.limit === undefined ? {} : { limit: options.limit }),
    signal: aborter.signal,
    leaving: leaving.signal,
    // A queue that lost data may give out a row that is being called right here.
    isBeingCalled: (jobId) => worker.locks.count(jobId) > 1,
    letGo: (jobId, token) => worker.locks.release(jobId, token),
    ...(mayStart === undefined
      ? {}
      : { mayStart: (job, token) => mayStart(job.id ?? "", token, job.stalledCounter > 0) }),
    onRunError: options.onRunError,
    ...(options.fundMore === undefined ? {} : { fundMore: options.fundMore }),
    ...(options.onAttemptFailed === undefined ? {} : { onAttemptFailed: options.onAttemptFailed }),
  });
  const worker: RowWorker = queue.createWorker(processor, {
    id: options.id,
    concurrency: options.isAlone ? placesFor(options.concurrency) : options.concurrency,
    backoff: backoffOf,
    onStray: options.onStray,
    strayIsLocal: options.strayIsLocal,
    onError: options.onError,
    ...(options.lockMs === undefined ? {} : { lockMs: options.lockMs }),
  });
  worker.start();
  const pause = (): Promise<void> => {
    const reason = new Error("stopping");
    leaving.abort(reason);
    slots.close(reason);
    return worker.pause(true);
  };
  return {
    get inFlight() {
      return slots.taken;
    },
    holds: (jobId, token) => worker.locks.holds(jobId, token),
    pause: () => void pause(),
    stop: async (graceMs, hurry) => {
      const closing = pause().then(() => worker.close());
      const hurried = new Promise((resolve) => hurry?.addEventListener("abort", resolve, { once: true }));
      const patience = Promise.race([closing, hurried]);
      await endsWithin(patience, hurry?.aborted === true ? 0 : graceMs);
      aborter.abort(new Error("stopping"));
      // A server that does not answer lets nobody hand back: the locks run out.
      await endsWithin(closing, HAND_BACK_MS);
      worker.locks.close();
    },
  };
}

async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true as const), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
