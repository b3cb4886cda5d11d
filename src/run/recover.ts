import { rowIndexOfJobId } from "../queue/names.js";
import type { FinishedJob, RunQueue } from "../queue/run-queue.js";
import { gaveUpResult } from "../worker/row-processor.js";
import type { Result } from "../types.js";
import type { Writer } from "../writer/writer.js";

const BATCH = 500;

/** Lock tokens of a coordinator's own workers begin like this; a resume knows that they are dead. */
export const COORDINATOR_WORKER_PREFIX = "coordinator-";

function resultOfFinished(job: FinishedJob): Result {
  return job.result ?? gaveUpResult(rowIndexOfJobId(job.jobId), job, new Date().toISOString());
}

/**
 * Brings queue and journal together before any row is started: on a resume, and after a queue server came
 * back with other contents than it had.
 *
 * Finished jobs are settled, jobs of settled rows dropped, and jobs that a dead process of this machine
 * held are given back at once instead of waiting for their locks to expire.
 */
export async function recover(queue: RunQueue, writer: Writer, ownDeadLocks: boolean): Promise<void> {
  await settleFinished(queue, writer, true);
  const pending = await queue.pending();
  const settled = pending.filter(({ jobId }) => writer.index.isSettled(rowIndexOfJobId(jobId)));
  for (let start = 0; start < settled.length; start += BATCH) {
    await queue.drop(settled.slice(start, start + BATCH).map(({ jobId }) => jobId));
  }
  if (!ownDeadLocks) return;
  for (const { jobId, lockToken } of pending) {
    const isDead = lockToken !== null && lockToken.startsWith(COORDINATOR_WORKER_PREFIX);
    if (isDead && !writer.index.isSettled(rowIndexOfJobId(jobId))) await queue.handBack(jobId, lockToken);
  }
}

/**
 * Settles everything that the queue holds as finished, until there is no more. Returns how many results it
 * saw. `again`: the journal may have them already, from a process that died before the queue forgot them.
 */
export async function settleFinished(queue: RunQueue, writer: Writer, again: boolean): Promise<number> {
  for (let count = 0; ;) {
    const jobs = await queue.finished(BATCH, (jobId) => writer.holds(rowIndexOfJobId(jobId)));
    const strays = await queue.strays();
    for (const job of jobs) {
      if (again) await writer.settleAgain(resultOfFinished(job));
      else writer.settle(resultOfFinished(job));
    }
    for (const { result } of strays) {
      if (again) await writer.settleAgain(result);
      else writer.settleStray(result);
    }
    count += jobs.length + strays.length;
    if (jobs.length + strays.length > 0) await writer.drain();
    if (writer.failure !== null) return count;
    if (strays.length > 0) await queue.forgetStrays(strays);
    if (jobs.length + strays.length < BATCH) return count;
  }
}
