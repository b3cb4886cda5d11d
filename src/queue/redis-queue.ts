import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Result } from "../types.js";
import { displayQueueUrl, queueJobId, queueName } from "./names.js";
import { mapStrings, packText, parsePayload, unpackText, type QueuePayload } from "./payload.js";
import { connectRedis } from "./redis-connection.js";
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

const KEY_PREFIX = "bull";
/** Nobody reads BullMQ's event stream here, and each event of a finished job carries its whole result. */
const MAX_EVENTS = 10;

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

/** Drops jobs in whatever state they are. Plain jobs only: no parents, no deduplication. */
const DROP_JOBS = `
local p = ARGV[1]
for i = 3, #ARGV do
  local id = ARGV[i]
  redis.call('ZREM', p .. 'completed', id)
  redis.call('ZREM', p .. 'failed', id)
  if ARGV[2] == 'any' then
    redis.call('ZREM', p .. 'delayed', id)
    redis.call('LREM', p .. 'wait', 0, id)
    redis.call('LREM', p .. 'paused', 0, id)
    redis.call('LREM', p .. 'active', 0, id)
    redis.call('SREM', p .. 'stalled', id)
    redis.call('UNLINK', p .. id .. ':lock')
  end
  redis.call('UNLINK', p .. id)
end`;

type Command = (keys: number, ...args: (string | number)[]) => Promise<unknown>;
type RedisWithCommands = Redis & { promptmillReadJobs: Command; promptmillDropJobs: Command };

export interface RedisQueueServer extends QueueServer {
  readonly kind: "redis";
  readonly redis: Redis;
  openRunQueue(runId: string): RedisRunQueue;
}

/** Connects to Redis. Every run queue of this server shares the connection; workers add blocking ones. */
export async function openRedisQueueServer(
  url: string,
  warn?: (message: string) => void,
): Promise<RedisQueueServer> {
  const redis = (await connectRedis(url, warn)) as RedisWithCommands;
  redis.defineCommand("promptmillReadJobs", { lua: READ_JOBS });
  redis.defineCommand("promptmillDropJobs", { lua: DROP_JOBS });
  return {
    kind: "redis",
    displayUrl: displayQueueUrl(url),
    directory: null,
    redis,
    openRunQueue: (runId) => new RedisRunQueue(runId, redis),
    close: async () => {
      await redis.quit().catch(() => redis.disconnect());
    },
  };
}

export class RedisRunQueue implements RunQueue {
  readonly runId: string;
  readonly queue: Queue;
  readonly #redis: RedisWithCommands;
  readonly #base: string;
  readonly #straysKey: string;

  constructor(runId: string, redis: RedisWithCommands) {
    this.runId = runId;
    this.#redis = redis;
    const keys = keysOf(runId);
    this.#base = keys.base;
    this.#straysKey = keys.strays;
    this.queue = new Queue(queueName(runId), {
      connection: redis,
      prefix: KEY_PREFIX,
      streams: { events: { maxLen: MAX_EVENTS } },
      skipVersionCheck: true,
    });
    this.queue.on("error", () => {}); // reported by whoever awaits the command
  }

  async enqueue(payloads: readonly QueuePayload[], attempts: number): Promise<void> {
    await this.queue.addBulk(
      payloads.map((payload) => ({
        name: "row",
        data: mapStrings(payload, packText),
        opts: {
          jobId: queueJobId(this.runId, payload.rowIndex),
          attempts,
          backoff: { type: "custom" },
          stackTraceLimit: 0,
        },
      })),
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
        result:
          value === null ? null : (mapStrings(JSON.parse(value) as unknown, unpackText) as Result | null),
        payload: data === null ? null : parsePayload(mapStrings(JSON.parse(data) as unknown, unpackText)),
        attemptsStarted: Number(starts ?? 0),
        failedReason,
      }));
  }

  async forget(jobIds: readonly string[]): Promise<void> {
    if (jobIds.length > 0) await this.#redis.promptmillDropJobs(0, this.#base, "finished", ...jobIds);
  }

  async drop(jobIds: readonly string[]): Promise<void> {
    if (jobIds.length > 0) await this.#redis.promptmillDropJobs(0, this.#base, "any", ...jobIds);
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
    await job?.moveToWait(lockToken);
  }

  /** Whether a started job is still this worker's. */
  async holdsLock(jobId: string, token: string): Promise<boolean> {
    return (await this.#redis.get(`${this.#base}${jobId}:lock`)) === token;
  }

  createWorker(processor: RowProcessor, options: RowWorkerOptions): RowWorker {
    return new RowWorker(
      queueName(this.runId),
      async (job, token) => {
        job.data = mapStrings(job.data as unknown, unpackText);
        return mapStrings(await processor(job, token), packText);
      },
      options,
      { connection: this.#redis, prefix: KEY_PREFIX, name: options.id, skipVersionCheck: true },
    );
  }

  async strays(): Promise<StrayResult[]> {
    const lines = await this.#redis.lrange(this.#straysKey, 0, 499);
    return lines.map((raw) => ({ raw, result: JSON.parse(raw) as Result }));
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
