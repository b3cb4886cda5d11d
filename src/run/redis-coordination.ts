import { randomUUID } from "node:crypto";
import { HaltError } from "../errors.js";
import type { Log } from "../log.js";
import type { RedisQueueServer, RedisRunQueue } from "../queue/redis-queue.js";
import { RunRegistry, type RunTicket, type WorkerReport } from "../queue/registry.js";
import { placesFor } from "../worker/run-worker.js";
import { handBackRowsOf } from "./recover.js";
import { WorkerWatch } from "./worker-watch.js";

const HEARTBEAT_MS = 2_000;
/** How long workers may take to find a run before their absence is said. */
const PATIENCE_MS = 3_000;

export interface RedisCoordinationOptions {
  readonly server: RedisQueueServer;
  readonly queue: RedisRunQueue;
  readonly ticket: RunTicket;
  readonly log: Log;
  /** A worker somewhere met what every row would meet. */
  readonly onHalt: (error: HaltError) => void;
  /** The server lost data or was started again: queue and journal must be brought together. */
  readonly onServerChanged: () => Promise<void>;
  readonly isSettled: (rowIndex: number) => boolean;
  /** This process calls the model itself: it can do without workers. */
  readonly callsModel: boolean;
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
 * that come, go and die, a server that comes back with other contents.
 *
 * Call it when queue and journal agree: from here on, workers may start rows.
 */
export async function coordinateOnRedis(options: RedisCoordinationOptions): Promise<RedisCoordination> {
  const { queue, ticket, log, server } = options;
  const registry = new RunRegistry(server.redis);
  const { runId } = ticket;
  const watch = new WorkerWatch();
  const ending = new AbortController();
  let epoch = "";

  // Rows that wait at hand are no calls. Only a process that alone calls the model can tell them apart: as soon
  // as others serve the run, it is by the queue that all of them together keep to its concurrency.
  let places = 0;
  const admit = async (): Promise<void> => {
    const isAlone = options.callsModel && watch.there(performance.now()).length === 0;
    const wanted = isAlone ? placesFor(ticket.concurrency) : ticket.concurrency;
    if (wanted === places) return;
    await queue.queue.setGlobalConcurrency(wanted);
    places = wanted;
  };
  const openForWorkers = async (): Promise<void> => {
    places = 0;
    await admit();
    await registry.announce(ticket);
    epoch = `${await registry.serverId()} ${randomUUID()}`;
    await registry.setEpoch(runId, epoch);
  };
  await registry.clearHalt(runId);
  await queue.queue.resume();
  await openForWorkers();

  const beat = async (): Promise<void> => {
    const halt = await registry.halted(runId);
    if (halt !== null) options.onHalt(new HaltError(halt.message, { code: halt.code, hint: halt.hint }));
    const [serverId, known] = await Promise.all([registry.serverId(), registry.epoch(runId)]);
    if (ending.signal.aborted) return;
    // Its epoch may just have run out, when this process was blocked for long.
    if (!epoch.startsWith(`${serverId} `) || (known !== null && known !== epoch)) {
      log.warn({ runId }, "Redis was started again: checking the queue against the journal");
      await reopen();
    } else if (known === null && !(await registry.isAnnounced(runId))) {
      log.warn({ runId }, "Redis lost its data: checking the queue against the journal");
      await reopen();
    } else {
      await registry.setEpoch(runId, epoch);
    }
    watch.look(await registry.workers(runId), performance.now());
    await handBackDeadRows();
    await admit();
    tellWorkers();
  };
  const reopen = async (): Promise<void> => {
    await options.onServerChanged();
    if (!ending.signal.aborted) await openForWorkers();
    watch.reset(performance.now());
  };
  const handBackDeadRows = async (): Promise<void> => {
    const now = performance.now();
    const connections = watch.hasSuspects(now) ? await registry.connectionNames() : null;
    for (const { workerId } of watch.dead(now, connections)) {
      const rows = await handBackRowsOf(`${workerId}/`, queue, options.isSettled);
      await registry.forgetWorker(runId, workerId);
      log.warn({ runId, workerId, rows }, "A worker died; its rows go to others");
    }
  };

  let told = "";
  const startedAt = performance.now();
  const tellWorkers = (): void => {
    const there = watch.there(performance.now());
    const refusals = [...new Set(there.flatMap(({ refusal }) => refusal ?? []))];
    const serving = there.filter(({ refusal }) => refusal === null).length;
    const state = `${serving} ${refusals.join("; ")}`;
    if (state === told) return;
    if (serving > 0) log.info({ runId, workers: serving }, "Workers serve the run");
    else if (options.callsModel || performance.now() - startedAt < PATIENCE_MS) return;
    else if (refusals.length > 0) log.warn({ runId, refusals }, "No worker can serve this run");
    else log.warn({ runId }, "No worker serves this run; start one: promptmill worker --queue …");
    told = state;
  };

  let wake: () => void = () => {};
  const onReady = (): void => wake();
  server.redis.on("ready", onReady);
  let isLost = false;
  const onClose = (): void => {
    if (!isLost) log.warn({ runId }, "Redis does not answer; waiting for it");
    isLost = true;
  };
  server.redis.on("close", onClose);
  const beating = (async () => {
    while (!ending.signal.aborted) {
      try {
        await beat();
        if (isLost) log.info({ runId }, "Redis answers again");
        isLost = false;
      } catch (error) {
        if (!isLost) log.warn({ runId, error: String(error) }, "Redis does not answer");
        isLost = true;
        watch.reset(performance.now());
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, HEARTBEAT_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (ending.signal.aborted) wake();
      });
    }
  })();

  return {
    registry,
    workers: () => watch.there(performance.now()),
    pauseEverywhere: () => queue.queue.pause(),
    halt: async (error) => {
      await queue.queue.pause();
      await registry.halt(runId, { code: error.code, message: error.message, hint: error.hint });
    },
    activeRows: () => queue.queue.getActiveCount(),
    end: async (forever) => {
      ending.abort();
      server.redis.off("ready", onReady);
      server.redis.off("close", onClose);
      wake();
      await beating; // or it would announce the run once more
      await registry.withdraw(runId, forever);
    },
  };
}
