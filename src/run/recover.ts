import { rowIndexOfJobId } from "../queue/names.js";
import type { FinishedJob, RunQueue } from "../queue/run-queue.js";
import { gaveUpResult } from "../worker/row-result.js";
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
  await settleFinished(queue, writer);
  const pending = await queue.pending();
  const settled = pending.filter(({ jobId }) => writer.index.isSettled(rowIndexOfJobId(jobId)));
  for (let start = 0; start < settled.length; start += BATCH) {
    await queue.drop(settled.slice(start, start + BATCH).map(({ jobId }) => jobId));
  }
  if (!ownDeadLocks) return;
  await handBackRowsOf(COORDINATOR_WORKER_PREFIX, queue, (rowIndex) => writer.index.isSettled(rowIndex));
}

/** Gives the rows of dead workers to others. Their lock tokens begin with `prefix`. Returns how many rows. */
export async function handBackRowsOf(
  prefix: string,
  queue: RunQueue,
  isSettled: (rowIndex: number) => boolean,
): Promise<number> {
  let rows = 0;
  for (const { jobId, lockToken } of await queue.pending()) {
    if (lockToken === null || !lockToken.startsWith(prefix)) continue;
    if (isSettled(rowIndexOfJobId(jobId))) await queue.drop([jobId]);
    else await queue.handBack(jobId, lockToken);
    rows++;
  }
  return rows;
}

/**
 * Settles everything that the queue holds as finished, until there is no more. Returns how many results it
 * saw. The journal may have some already: from a process that died before the queue forgot them, or because
 * the queue server lost that it had forgotten them.
 */
export async function settleFinished(queue: RunQueue, writer: Writer): Promise<number> {
  for (let count = 0; ;) {
    const jobs = await queue.finished(BATCH, (jobId) => writer.holds(rowIndexOfJobId(jobId)));
    const strays = await queue.strays();
    for (const job of jobs) await writer.settleAgain(resultOfFinished(job), false);
    for (const { result } of strays) {
      if (result !== null) await writer.settleAgain(result, true);
    }
    count += jobs.length + strays.length;
    if (jobs.length + strays.length > 0) await writer.drain();
    if (writer.failure !== null) return count;
    if (strays.length > 0) await queue.forgetStrays(strays);
    if (jobs.length + strays.length < BATCH) return count;
  }
}
