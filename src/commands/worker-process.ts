import { loadConfig, processEnvironment } from "../config.js";
import { UsageError } from "../errors.js";
import { checkQueueUrl } from "../queue/queue-url.js";
import { displayQueueUrl } from "../queue/names.js";
import { openLog } from "./log.js";

export interface WorkerProcessOptions {
  /** Absent: PROMPTMILL_QUEUE, else the configuration file's. */
  readonly queue?: string | undefined;
  readonly config?: string | undefined;
  readonly concurrency: number;
  readonly graceSeconds: number;
  readonly quiet: boolean;
}

/** How long closing connections may take once every row is finished or handed back. */
const CLOSE_MS = 2_000;

/**
 * Serves the runs of a Redis in this process until SIGTERM or SIGINT, which end it within the grace period; a
 * second one hands calls in flight back at once. Also ends when the process that forked it is gone.
 */
export async function runWorkerProcess(options: WorkerProcessOptions): Promise<void> {
  const config = await loadConfig({ path: options.config, cwd: process.cwd(), env: processEnvironment() });
  const url = queueUrl(options.queue, config.environment["PROMPTMILL_QUEUE"], config.queue);
  checkQueueUrl(url);
  const log = openLog({ quiet: options.quiet, beforeWrite: () => {} });
  const { connectRedis, disconnectRedis } = await import("../queue/redis-connection.js");
  const { hostWorker, newWorkerId } = await import("../fleet/worker-host.js");
  const workerId = newWorkerId();
  const redis = await connectRedis(url, (message) => log.warn({}, message), workerId);
  const stop = new AbortController();
  const hurry = new AbortController();
  const onSignal = (): void => (stop.signal.aborted ? hurry : stop).abort(new Error("stopping"));
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  process.on("disconnect", onSignal);
  log.info(
    { queue: displayQueueUrl(url), concurrency: options.concurrency, workerId, pid: process.pid },
    "Waiting for runs",
  );
  await hostWorker({
    redis,
    config,
    concurrency: options.concurrency,
    graceMs: options.graceSeconds * 1000,
    workerId,
    signal: stop.signal,
    hurry: hurry.signal,
    log,
  });
  await Promise.race([disconnectRedis(redis), new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]);
  log.info({}, "Stopped");
  process.off("SIGTERM", onSignal);
  process.off("SIGINT", onSignal);
  process.off("disconnect", onSignal);
  if (process.connected) process.disconnect();
  // A connection that is being opened again to a server that is not there would keep the process alive.
  setTimeout(() => process.exit(), CLOSE_MS).unref();
}

function queueUrl(
  flag: string | undefined,
  environment: string | undefined,
  configured: string | null,
): string {
  const url = flag ?? (environment?.trim() === "" ? undefined : environment) ?? configured;
  if (url !== null && url !== undefined) return url;
  throw new UsageError("worker: no queue is named; the embedded queue takes no workers from outside.", {
    code: "queue_missing",
    hint: "Name the Redis that runs use: promptmill worker --queue redis://host:6379, or set PROMPTMILL_QUEUE.",
  });
}
