import { createPostgresBackend, Queue, type QueueOptions } from "bullmq";
import type { Result } from "../types.js";
import { openEmbeddedDatabase, type EmbeddedDatabase } from "./embedded.js";
import { mapStrings, packText, parsePayload, unpackText, type QueuePayload } from "./payload.js";
import { queueName } from "./names.js";
import { rowJob } from "./queue-job.js";
import { RowWorker } from "./row-worker.js";
import type {
  FinishedJob,
  PendingJob,
  QueueServer,
  RowProcessor,
  RowWorkerOptions,
  RunQueue,
  StrayResult,
} from "./run-queue.js";

/** Forgotten rows leave dead tuples behind, and PGlite has no autovacuum. */
const VACUUM_AFTER_ROWS = 20_000;

export interface EmbeddedQueueServer extends QueueServer {
  readonly kind: "embedded";
}

/** Opens the queue that lives in this process: BullMQ's PostgreSQL backend on PGlite. */
export async function openEmbeddedQueueServer(
  root: string,
  directory: string | null,
): Promise<EmbeddedQueueServer> {
  const database = await openEmbeddedDatabase(root, directory);
  return {
    kind: "embedded",
    displayUrl: "embedded",
    directory: database.directory,
    openRunQueue: (runId) => new EmbeddedRunQueue(runId, database),
    close: () => database.close(),
  };
}

interface FinishedRow {
  id: string;
  data: unknown;
  return_value: unknown;
  state: string;
  attempts_started: number;
  failed_reason: string | null;
}

class EmbeddedRunQueue implements RunQueue {
  readonly runId: string;
  readonly queue: Queue;
  /** A statement costs far more than a row of it. */
  readonly batchRows = 200;
  readonly #name: string;
  readonly #database: EmbeddedDatabase;
  readonly #connection: { connection: QueueOptions["connection"] };
  #forgotten = 0;

  constructor(runId: string, database: EmbeddedDatabase) {
    this.runId = runId;
    this.#name = queueName(runId);
    this.#database = database;
    this.#connection = { connection: database.pool as unknown as QueueOptions["connection"] };
    this.queue = new Queue(this.#name, this.#connection, createPostgresBackend as never);
  }

  async enqueue(payloads: readonly QueuePayload[], attempts: number): Promise<void> {
    await this.queue.addBulk(
      payloads.map((payload) => rowJob(this.runId, payload, mapStrings(payload, packText), attempts)),
    );
  }

  async finished(limit: number, skip: (jobId: string) => boolean): Promise<FinishedJob[]> {
    const { rows } = await this.#database.pg.query<FinishedRow>(
      `SELECT id, data, return_value, state, attempts_started, failed_reason FROM job
        WHERE queue = $1 AND state IN ('completed', 'failed') ORDER BY finished_at_ms LIMIT $2`,
      [this.#name, limit],
    );
    return rows
      .filter((row) => !skip(row.id))
      .map((row) => ({
        jobId: row.id,
        result:
          row.state === "completed" ? (mapStrings(row.return_value, unpackText) as Result | null) : null,
        payload: row.state === "completed" ? null : parsePayload(mapStrings(row.data, unpackText)),
        attemptsStarted: row.attempts_started,
        failedReason: row.failed_reason,
      }));
  }

  async forget(jobIds: readonly string[]): Promise<void> {
    if (jobIds.length === 0) return;
    await this.#database.pg.query(`DELETE FROM job WHERE queue = $1 AND id = ANY($2::text[])`, [
      this.#name,
      [...jobIds],
    ]);
    this.#forgotten += jobIds.length;
  }

  drop(jobIds: readonly string[]): Promise<void> {
    return this.forget(jobIds);
  }

  async pending(): Promise<PendingJob[]> {
    const { rows } = await this.#database.pg.query<{ id: string; lock_token: string | null }>(
      `SELECT id, lock_token FROM job WHERE queue = $1 AND state NOT IN ('completed', 'failed')`,
      [this.#name],
    );
    return rows.map((row) => ({ jobId: row.id, lockToken: row.lock_token }));
  }

  async known(jobIds: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.#database.pg.query<{ id: string }>(
      `SELECT id FROM job WHERE queue = $1 AND id = ANY($2::text[])`,
      [this.#name, [...jobIds]],
    );
    return new Set(rows.map((row) => row.id));
  }

  async handBack(jobId: string, lockToken: string): Promise<void> {
    const job = await this.queue.getJob(jobId);
    await job?.moveToWait(lockToken);
  }

  createWorker(processor: RowProcessor, options: RowWorkerOptions): RowWorker {
    // One process holds the database, so a lock can only be this one's own: nothing to check for stalls,
    // and neither a blocked event loop nor a jumping clock can make a row run twice.
    return new RowWorker(
      this.#name,
      async (job, token) => {
        job.data = mapStrings(job.data as unknown, unpackText);
        const updateData = job.updateData.bind(job);
        job.updateData = (data: unknown) => updateData(mapStrings(data, packText));
        return mapStrings(await processor(job, token), packText);
      },
      options,
      { ...this.#connection, skipStalledCheck: true, skipLockRenewal: true, name: options.id },
      createPostgresBackend,
    );
  }

  strays(): Promise<StrayResult[]> {
    return Promise.resolve([]);
  }

  forgetStrays(): Promise<void> {
    return Promise.resolve();
  }

  async destroy(): Promise<void> {
    const { pg } = this.#database;
    for (const table of ["job", "meta", "event", "metrics", "rate_limit", "dedup"]) {
      await pg.query(`DELETE FROM ${table} WHERE queue = $1`, [this.#name]);
    }
    await this.#vacuum();
  }

  async compact(): Promise<void> {
    if (this.#forgotten < VACUUM_AFTER_ROWS) return;
    this.#forgotten = 0;
    await this.#vacuum();
  }

  /** One statement at a time: several in one call would be a transaction, which VACUUM refuses. */
  async #vacuum(): Promise<void> {
    for (const table of ["job", "event"]) await this.#database.pg.exec(`VACUUM ${table}`);
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}
