import { queueJobId } from "./names.js";
import type { QueuePayload } from "./payload.js";

/** A row as BullMQ's addBulk takes it, on either queue. `data` is the payload as that queue can carry it. */
export function rowJob(runId: string, payload: QueuePayload, data: unknown, attempts: number) {
  return {
    name: "row",
    data,
    opts: {
      jobId: queueJobId(runId, payload.rowIndex),
      attempts,
      backoff: { type: "custom" },
      stackTraceLimit: 0,
    },
  };
}
