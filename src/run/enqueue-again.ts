import type { InputRow } from "../input/row.js";
import { queueJobId } from "../queue/names.js";
import type { QueuePayload } from "../queue/payload.js";
import type { RunQueue } from "../queue/run-queue.js";
import type { RowError } from "../types.js";

export interface EnqueueAgainOptions {
  readonly queue: RunQueue;
  /** Rows that were enqueued and are not settled. */
  readonly rows: readonly number[];
  /** Reads the input from a row on. */
  readonly readFrom: (rowIndex: number) => AsyncIterable<readonly InputRow[]>;
  readonly build: (row: InputRow) => QueuePayload | RowError | Promise<QueuePayload | RowError>;
  readonly attempts: number;
}

/** After the queue server lost data: rows that should be there and are not are read and enqueued again. */
export async function enqueueAgain(options: EnqueueAgainOptions): Promise<void> {
  const { queue, rows } = options;
  if (rows.length === 0) return;
  const known = await queue.known(rows.map((row) => queueJobId(queue.runId, row)));
  const missing = new Set(rows.filter((row) => !known.has(queueJobId(queue.runId, row))));
  if (missing.size === 0) return;
  const first = [...missing].reduce((least, row) => Math.min(least, row));
  for await (const batch of options.readFrom(first)) {
    const payloads: QueuePayload[] = [];
    for (const row of batch) {
      if (!missing.delete(row.rowIndex)) continue;
      const payload = await options.build(row);
      if ("request" in payload) payloads.push(payload);
    }
    await queue.enqueue(payloads, options.attempts);
    if (missing.size === 0) return;
  }
}
