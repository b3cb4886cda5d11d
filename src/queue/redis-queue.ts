import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Result } from "../types.js";
import { displayQueueUrl, queueName } from "./names.js";
import { rowJob } from "./queue-job.js";
import { parsePayload, type QueuePayload } from "./payload.js";
import { addPlainJobs, createBatchingBackend, MOST_AT_ONCE } from "./redis-batches.js";
import { connectRedis } from "./redis-connection.js";
import { isGone, RowWorker } from "./row-worker.js";
import type {
  FinishedJob,
  PendingJob,
  QueueServer,
  RowProcessor,
  RowWorkerOptions,
  RunQueue,
  StrayResult,
} from "./run-queue.js";

const KEY_PREFIX = "bull";
/** Nobody reads BullMQ's event stream here, and each event of a finished job carries its whole result. */
const MAX_EVENTS = 10;
const CLOSE_MS = 2_000;

/** Redis' view of one run's queue: BullMQ's keys, and ours beside them. */
function keysOf(runId: string) {
  const base = `${KEY_PREFIX}:${queueName(runId)}:`;
  return { base, strays: `promptmill:run:${runId}:strays` };
}

/**
 * Reads finished jobs in one step. KEYS: none beyond the prefix; ARGV: key prefix, ids.
 * Each row: id, returnvalue, data, starts, failedReason; data and reason only without a returnvalue.
 */
const READ_JOBS = `
local out = {}
for i = 2, #ARGV do
  local f = redis.call('HMGET', ARGV[1] .. ARGV[i], 'returnvalue', 'ats')
  local g = {false, false}
  if not f[1] then g = redis.call('HMGET', ARGV[1] .. ARGV[i], 'data', 'failedReason') end
  out[#out + 1] = {ARGV[i], f[1], g[1], f[2], g[2]}
end
return out`;

/**
 * Drops jobs in whatever state they are: also one that is to be forgotten as finished may be waiting again,
 * on a server that lost its last second. Plain jobs only: no parents, no deduplication.
 */
const DROP_JOBS = `
local p = ARGV[1]
for i = 2, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', p .. 'completed', id) + redis.call('ZREM', p .. 'failed', id) == 0 then
    redis.call('ZREM', p .. 'delayed', id)
    redis.call('LREM', p .. 'wait', 0, id)
    redis.call('LREM', p .. 'paused', 0, id)
    redis.call('LREM', p .. 'active', 0, id)
    redis.call('SREM', p .. 'stalled', id)
    redis.call('UNLINK', p .. id .. ':lock')
  end
  redis.call('UNLINK', p .. id)
end`;

/**
 * Renews locks by PEXPIRE, which a server out of memory takes as well. A lock that ran out while nobody else
 * started the row (a server frozen for a minute) is taken again. ARGV: key prefix, milliseconds, then id and
 * token of each.
 */
const RENEW_LOCKS = `
local p = ARGV[1]
for i = 3, #ARGV, 2 do
  local lock = p .. ARGV[i] .. ':lock'
  local holder = redis.call('GET', lock)
  if holder == ARGV[i + 1] then
    redis.call('PEXPIRE', lock, ARGV[2])
    redis.call('SREM', p .. 'stalled', ARGV[i])
  elseif not holder and redis.call('LPOS', p .. 'active', ARGV[i]) then
    redis.pcall('SET', lock, ARGV[i + 1], 'PX', ARGV[2])
    redis.pcall('SREM', p .. 'stalled', ARGV[i])
  end
end`;

type Command = (keys: number, ...args: (string | number)[]) => Promise<unknown>;
type RedisWithCommands = Redis &
  Record<"promptmillReadJobs" | "promptmillDropJobs" | "promptmillRenewLocks", Command>;

export interface RedisQueueServer extends QueueServer {
  readonly kind: "redis";
  readonly redis: Redis;
  openRunQueue(runId: string): RedisRunQueue;
  /** Under which name the server knows this connection; null when it has none, or must not be asked. */
  connectionName(): Promise<string | null>;
}

/** Connects to Redis. Every run queue of this server shares the connection; workers add blocking ones. */
export async function openRedisQueueServer(
  url: string,
  warn?: (message: string) => void,
  connectionName?: string,
): Promise<RedisQueueServer> {
  const redis = (await connectRedis(url, warn, connectionName)) as RedisWithCommands;
  redis.defineCommand("promptmillReadJobs", { lua: READ_JOBS });
  redis.defineCommand("promptmillDropJobs", { lua: DROP_JOBS });
  redis.defineCommand("promptmillRenewLocks", { lua: RENEW_LOCKS });
  return {
    kind: "redis",
    displayUrl: displayQueueUrl(url),
    directory: null,
    redis,
    openRunQueue: (runId) => new RedisRunQueue(runId, redis),
    connectionName: async () => {
      const name = await redis.client("GETNAME").catch(() => null);
      return name === connectionName ? (connectionName ?? null) : null;
    },
    close: async () => {
      // A server that is not there is not waited for.
      const patience = new Promise((resolve) =>
        setTimeout(resolve, redis.status === "ready" ? CLOSE_MS : 0).unref(),
      );
      await Promise.race([redis.quit().catch(() => {}), patience]);
      redis.disconnect();
    },
  };
}

export class RedisRunQueue implements RunQueue {
  readonly runId: string;
  readonly queue: Queue;
  /** A few milliseconds of the server's time, for which completions wait. */
  readonly batchRows = 50;
  readonly #redis: RedisWithCommands;
  readonly #base: string;
  readonly #straysKey: string;

  constructor(runId: string, redis: RedisWithCommands) {
    this.runId = runId;
    this.#redis = redis;
    const keys = keysOf(runId);
    this.#base = keys.base;
    this.#straysKey = keys.strays;
    this.queue = new Queue(
      queueName(runId),
      {
        connection: redis,
        prefix: KEY_PREFIX,
        streams: { events: { maxLen: MAX_EVENTS } },
        skipVersionCheck: true,
      },
      createBatchingBackend,
    );
    this.queue.on("error", () => {}); // reported by whoever awaits the command
  }

  async enqueue(payloads: readonly QueuePayload[], attempts: number): Promise<void> {
    await addPlainJobs(
      this.queue.getBackend(),
      payloads.map((payload) => rowJob(this.runId, payload, payload, attempts)),
    );
  }

  async finished(limit: number, skip: (jobId: string) => boolean): Promise<FinishedJob[]> {
    const [completed, failed] = await Promise.all([
      this.#redis.zrange(`${this.#base}completed`, 0, limit - 1),
      this.#redis.zrange(`${this.#base}failed`, 0, limit - 1),
    ]);
    const ids = [...completed, ...failed].filter((id) => !skip(id)).slice(0, limit);
    if (ids.length === 0) return [];
    const rows = (await this.#redis.promptmillReadJobs(0, this.#base, ...ids)) as [
      string,
      string | null,
      string | null,
      string | null,
      string | null,
    ][];
    return rows
      .filter(([, value, data]) => value !== null || data !== null)
      .map(([jobId, value, data, starts, failedReason]) => ({
        jobId,
        result: value === null ? null : parseResult(value),
        payload: data === null ? null : parsePayload(parseJson(data)),
        attemptsStarted: Number(starts ?? 0),
        failedReason,
      }));
  }

  async forget(jobIds: readonly string[]): Promise<void> {
    if (jobIds.length > 0) await this.#redis.promptmillDropJobs(0, this.#base, ...jobIds);
  }

  async drop(jobIds: readonly string[]): Promise<void> {
    await this.forget(jobIds);
  }

  async pending(): Promise<PendingJob[]> {
    const redis = this.#redis;
    const [waiting, paused, active, delayed] = await Promise.all([
      redis.lrange(`${this.#base}wait`, 0, -1),
      redis.lrange(`${this.#base}paused`, 0, -1),
      redis.lrange(`${this.#base}active`, 0, -1),
      redis.zrange(`${this.#base}delayed`, 0, -1),
    ]);
    const tokens = active.length === 0 ? [] : await redis.mget(active.map((id) => `${this.#base}${id}:lock`));
    return [
      ...[...waiting, ...paused, ...delayed].map((jobId) => ({ jobId, lockToken: null })),
      ...active.map((jobId, index) => ({ jobId, lockToken: tokens[index] ?? null })),
    ];
  }

  async known(jobIds: readonly string[]): Promise<Set<string>> {
    const pipeline = this.#redis.pipeline();
    for (const jobId of jobIds) pipeline.exists(this.#base + jobId);
    const replies = (await pipeline.exec()) ?? [];
    return new Set(jobIds.filter((_id, index) => replies[index]?.[1] === 1));
  }

  async handBack(jobId: string, lockToken: string): Promise<void> {
    const job = await this.queue.getJob(jobId);
    await job?.moveToWait(lockToken).catch((error: unknown) => {
      if (!isGone(error)) throw error; // meanwhile the lock ran out, or the row ended
    });
  }

  /** Whether a started job is still this worker's. */
  async holdsLock(jobId: string, token: string): Promise<boolean> {
    return (await this.#redis.get(`${this.#base}${jobId}:lock`)) === token;
  }

  createWorker(processor: RowProcessor, options: RowWorkerOptions): RowWorker {
    const worker = new RowWorker(
      queueName(this.runId),
      processor,
      { ...options, startsAtOnce: MOST_AT_ONCE },
      { connection: this.#redis, prefix: KEY_PREFIX, name: options.id, skipVersionCheck: true },
      createBatchingBackend,
      async (locks, lockMs) => {
        if (this.#redis.status !== "ready") throw new Error("not connected"); // or it would be sent much later
        const pairs = locks.flatMap(({ jobId, token }) => [jobId, token]);
        await this.#redis.promptmillRenewLocks(0, this.#base, lockMs, ...pairs);
      },
    );
    const renew = (): void => void worker.locks.renewNow();
    this.#redis.on("ready", renew);
    worker.on("closed", () => this.#redis.off("ready", renew));
    return worker;
  }

  async strays(): Promise<StrayResult[]> {
    const lines = await this.#redis.lrange(this.#straysKey, 0, 499);
    return lines.map((raw) => ({ raw, result: parseResult(raw) }));
  }

  async forgetStrays(strays: readonly StrayResult[]): Promise<void> {
    for (const stray of strays) await this.#redis.lrem(this.#straysKey, 1, stray.raw);
  }

  /** For a worker on another machine: leaves a result where the coordinator finds it. */
  async pushStray(result: Result): Promise<void> {
    await this.#redis.rpush(this.#straysKey, JSON.stringify(result));
  }

  async destroy(): Promise<void> {
    await this.queue.obliterate({ force: true, count: 5_000 });
    await this.#redis.unlink(this.#straysKey);
  }

  compact(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}

/** null: not what a worker writes. */
function parseResult(text: string): Result | null {
  const value = parseJson(text) as Partial<Result> | null;
  if (value === null || typeof value !== "object" || !Number.isInteger(value.rowIndex)) return null;
  return value.status === "succeeded" || value.status === "failed" ? (value as Result) : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
