import type { Log } from "../log.js";
import type { RunQueue } from "../queue/run-queue.js";
import type { Writer } from "../writer/writer.js";
import { settleFinished } from "./recover.js";
import type { RedisCoordination } from "./redis-coordination.js";
import type { Stop } from "./stop.js";

/** How often a queue is asked for rows that ended elsewhere: right after some came, else, and embedded. */
const BUSY_MS = 5;
const IDLE_MS = 250;
const EMBEDDED_MS = 1_000;

/** Fetches what ended elsewhere, or was given up by the queue, as long as the run is under way. */
export async function pump(
  queue: RunQueue,
  writer: Writer,
  stop: Stop,
  kind: "redis" | "embedded",
  log: Log,
): Promise<void> {
  let isFailing = false;
  while (stop.decided === null) {
    let seen = 0;
    try {
      seen = await settleFinished(queue, writer);
      await queue.compact();
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn({ error: String(error) }, "The queue does not answer");
      isFailing = true;
    }
    const pauseMs = kind === "embedded" ? EMBEDDED_MS : seen > 0 ? BUSY_MS : IDLE_MS;
    await Promise.race([stop.reason, new Promise((resolve) => setTimeout(resolve, pauseMs).unref())]);
  }
}

/** When a run stops early: lets other machines finish the calls they have in flight, up to `graceMs`. */
export async function waitForRemoteRows(
  live: RedisCoordination,
  queue: RunQueue,
  writer: Writer,
  graceMs: number,
): Promise<void> {
  const deadline = performance.now() + graceMs;
  while (performance.now() < deadline && live.workers().length > 0) {
    if ((await live.activeRows().catch(() => 0)) === 0) return;
    await settleFinished(queue, writer).catch(() => 0);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  }
}
