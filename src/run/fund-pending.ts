import { rowIndexOfJobId } from "../queue/names.js";
import { parsePayload, type QueuePayload } from "../queue/payload.js";
import type { RunQueue } from "../queue/run-queue.js";
import type { Budget } from "./budget.js";

const BATCH = 100;

/**
 * Pays for what a run's queue holds when its coordinator comes back, before any worker is let at it.
 *
 * Rows never started leave the queue; the producer brings them again when there is money. Rows that were
 * started keep their history: what they may have cost is taken from the budget, with what they may cost
 * still. On Redis the queue must be paused, so that no row starts meanwhile.
 */
export async function fundPending(
  queue: RunQueue,
  budget: Budget,
  isSettled: (rowIndex: number) => boolean,
): Promise<void> {
  const neverStarted: string[] = [];
  const started: { payload: QueuePayload; starts: number; jobId: string }[] = [];
  for (const { jobId, lockToken } of await queue.pending()) {
    if (isSettled(rowIndexOfJobId(jobId))) continue;
    const job = await queue.queue.getJob(jobId);
    const payload = parsePayload(job?.data);
    if (job === undefined || payload === null) continue;
    const isActive = lockToken !== null;
    if (job.attemptsStarted === 0 && !isActive) neverStarted.push(jobId);
    else started.push({ payload, starts: Math.max(1, job.attemptsStarted), jobId });
  }
  for (let from = 0; from < neverStarted.length; from += BATCH) {
    await queue.drop(neverStarted.slice(from, from + BATCH));
  }
  for (const { payload, starts, jobId } of started) {
    const job = await queue.queue.getJob(jobId);
    const paidStarts = budget.reserveStarted(payload, starts);
    await job?.updateData({ ...(job.data as object), paidStarts });
  }
}
