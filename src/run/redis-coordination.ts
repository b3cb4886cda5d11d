import { HaltError } from "../errors.js";
import type { Log } from "../log.js";
import type { RedisQueueServer, RedisRunQueue } from "../queue/redis-queue.js";
import { RunRegistry, type RunTicket, type WorkerReport } from "../queue/registry.js";

const HEARTBEAT_MS = 2_000;

export interface RedisCoordinationOptions {
  readonly server: RedisQueueServer;
  readonly queue: RedisRunQueue;
  readonly ticket: RunTicket;
  readonly log: Log;
  /** A worker somewhere met what every row would meet. */
  readonly onHalt: (error: HaltError) => void;
  /** The server lost data or was started again: queue and journal must be brought together. */
  readonly onServerChanged: () => Promise<void>;
}

/** A coordinator's part in the life of a run that other machines serve too. */
export interface RedisCoordination {
  readonly registry: RunRegistry;
  /** Workers in other processes that gave a sign of life in the last seconds. */
  workers(): readonly WorkerReport[];
  /** Stops rows everywhere until the run is resumed. */
  pauseEverywhere(): Promise<void>;
  halt(error: HaltError): Promise<void>;
  /** Rows that some worker holds right now. */
  activeRows(): Promise<number>;
  end(forever: boolean): Promise<void>;
}

/**
 * Announces a run to the workers of a Redis and keeps watching it: halts that a worker declares, workers
 * that come and go, a server that comes back with other contents.
 *
 * Call it when queue and journal agree: from here on, workers may start rows.
 */
export async function coordinateOnRedis(options: RedisCoordinationOptions): Promise<RedisCoordination> {
  const { queue, ticket, log } = options;
  const registry = new RunRegistry(options.server.redis);
  const { runId } = ticket;
  let workers: WorkerReport[] = [];
  const ending = new AbortController();

  const openForWorkers = async (): Promise<void> => {
    await queue.queue.setGlobalConcurrency(ticket.concurrency);
    await registry.announce(ticket);
    await registry.setEpoch(runId, await registry.serverId());
  };
  await registry.clearHalt(runId);
  await queue.queue.resume();
  await openForWorkers();

  const beat = async (): Promise<void> => {
    const halt = await registry.halted(runId);
    if (halt !== null) options.onHalt(new HaltError(halt.message, { code: halt.code, hint: halt.hint }));
    const [serverId, epoch] = await Promise.all([registry.serverId(), registry.epoch(runId)]);
    if (serverId !== epoch) {
      log.warn({ runId }, "Redis was started again or lost data: checking the queue against the journal");
      await options.onServerChanged();
      await openForWorkers();
    } else {
      await registry.setEpoch(runId, serverId);
    }
    workers = await registry.workers(runId, Date.now());
  };
  const beating = (async () => {
    while (!ending.signal.aborted) {
      await beat().catch((error: unknown) =>
        log.warn({ runId, error: String(error) }, "Redis does not answer"),
      );
      await new Promise((resolve) => setTimeout(resolve, ending.signal.aborted ? 0 : HEARTBEAT_MS).unref());
    }
  })();

  return {
    registry,
    workers: () => workers,
    pauseEverywhere: () => queue.queue.pause(),
    halt: async (error) => {
      await queue.queue.pause();
      await registry.halt(runId, { code: error.code, message: error.message, hint: error.hint });
    },
    activeRows: () => queue.queue.getActiveCount(),
    end: async (forever) => {
      ending.abort();
      void beating;
      await registry.withdraw(runId, forever);
    },
  };
}
