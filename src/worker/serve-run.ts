import type { Log } from "../log.js";
import { EpochGate } from "../queue/epoch-gate.js";
import { queueJobId } from "../queue/names.js";
import type { RedisQueueServer } from "../queue/redis-queue.js";
import type { RunRegistry, RunTicket, WorkerOutage } from "../queue/registry.js";
import type { ModelPool } from "./model-pools.js";
import { RecentResults } from "./recent-results.js";
import { startRunWorker } from "./run-worker.js";

const CLOSE_MS = 1_000;

export interface ServeRunOptions {
  /** Begins every lock token. */
  readonly id: string;
  readonly server: RedisQueueServer;
  readonly registry: RunRegistry;
  readonly ticket: RunTicket;
  readonly pool: ModelPool;
  readonly concurrency: number;
  readonly log: Log;
}

/** One run that this process works on for a coordinator elsewhere. */
export interface ServedRun {
  readonly inFlight: number;
  /** Set while the run's model server does not answer here. */
  readonly down: WorkerOutage | undefined;
  /** True once a halt that was declared here has been lifted: the run is to be joined anew. */
  isOver(): Promise<boolean>;
  /** Mends what an interruption of the connection, or a server that lost data, left behind. */
  look(): Promise<void>;
  /** Finishes calls in flight up to `graceMs`, or until `hurry` aborts, and hands the other rows back. */
  stop(graceMs: number, hurry: AbortSignal): Promise<void>;
}

/** Starts taking rows of a run from Redis; results stay there until the coordinator has fetched them. */
export async function serveRun(options: ServeRunOptions): Promise<ServedRun> {
  const { id, server, registry, ticket, pool, log } = options;
  const { runId } = ticket;
  const queue = server.openRunQueue(runId);
  const recent = new RecentResults();
  /** Locks taken for us by a command whose reply was lost, and given back: such a row must not start here. */
  const disowned = new Set<string>();
  const leaving = new AbortController();
  const gate = new EpochGate(
    server.redis,
    registry,
    runId,
    (jobId, token) => queue.holdsLock(jobId, token),
    leaving.signal,
  );
  let epoch = await registry.epoch(runId);
  // A coordinator that also calls had more places while it was alone.
  await queue.queue.setGlobalConcurrency(ticket.concurrency);
  let isInterrupted = false;
  let isHalted = false;
  const onClose = (): void => {
    isInterrupted = true;
  };
  server.redis.on("close", onClose);
  const pacer = pool.openPacer(ticket.limits, options.concurrency);
  const worker = startRunWorker(queue, {
    id,
    concurrency: options.concurrency,
    isAlone: false,
    provider: pool.provider,
    pacer,
    limit: pool.limit,
    attempts: ticket.attempts,
    timeoutMs: ticket.timeoutMs,
    mayStart: async (jobId, token, isRestart) =>
      (await gate.mayStart(jobId, token, isRestart)) && !disowned.delete(`${jobId} ${token}`),
    settle: (result) => {
      recent.note(result);
      return Promise.resolve(false);
    },
    onStray: async (_jobId, result) => {
      if (result !== null) await queue.pushStray(result);
    },
    strayIsLocal: false,
    onRunError: async (error) => {
      isHalted = true;
      worker.pause();
      log.error({ runId, code: error.code, reason: error.message }, "The run is halted");
      await registry.halt(runId, { code: error.code, message: error.message, hint: error.hint });
      await queue.queue.pause();
    },
    onError: (error) => log.debug({ runId, error: error.message }, "Queue worker"),
  });

  const reclaim = async (): Promise<void> => {
    const answered = new Set(recent.all().map(({ rowIndex }) => queueJobId(runId, rowIndex)));
    for (const { jobId, lockToken } of await queue.pending()) {
      if (lockToken === null || !lockToken.startsWith(`${id}:`)) continue;
      if (answered.has(jobId) || worker.holds(jobId, lockToken)) continue;
      disowned.add(`${jobId} ${lockToken}`);
      await queue.handBack(jobId, lockToken);
    }
  };

  return {
    get inFlight() {
      return worker.inFlight;
    },
    get down() {
      const { holder, downForMs, wasAnswered } = pacer.status();
      if (holder?.kind !== "endpoint_down") return undefined;
      return { code: holder.code, forMs: downForMs, probeInMs: holder.probeInMs, wasAnswered };
    },
    isOver: async () => isHalted && (await registry.halted(runId)) === null,
    look: async () => {
      const now = await registry.epoch(runId);
      if (now === null || (now === epoch && !isInterrupted)) return;
      isInterrupted = false;
      if (now !== epoch && epoch !== null) {
        for (const result of recent.all()) await queue.pushStray(result);
      }
      epoch = now;
      await reclaim();
    },
    stop: async (graceMs, hurry) => {
      leaving.abort(new Error("stopping"));
      await worker.stop(graceMs, hurry);
      gate.close();
      pacer.close();
      server.redis.off("close", onClose);
      // To a server that is not there nothing can be said any more.
      const patience = new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref());
      await Promise.race([queue.close().catch(() => {}), patience]);
    },
  };
}
