/** One queue per run. */
export function queueName(runId: string): string {
  return `promptmill-${runId}`;
}

/** Enqueueing the same row again is a no-op, because its id is the same. */
export function queueJobId(runId: string, rowIndex: number): string {
  return `${runId}-${rowIndex}`;
}

/** The row behind a queue job's id; NaN when the id is not one of ours. */
export function rowIndexOfJobId(jobId: string): number {
  return Number(jobId.slice(jobId.lastIndexOf("-") + 1));
}

/** Shows where a queue is without what opens it: user, password and query are left out. */
export function displayQueueUrl(url: string): string {
  const parsed = new URL(url);
  return `${parsed.protocol}//${parsed.host}${parsed.pathname === "/" ? "" : parsed.pathname}`;
}
