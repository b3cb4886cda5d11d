import { createRedisBackend } from "bullmq";
import type { Redis } from "ioredis";
import { BullmqLeaseQueue } from "./bullmq-lease-queue.js";
import type { LeaseQueue } from "./lease-queue.js";
import { queueName } from "./names.js";

/**
 * Opens a run's queue on a Redis server. `identity` is the run's UUID, not its name: the keys of a reused name are
 * not met. The connection is shared with whoever opened it, and stays open.
 */
export function openRedisLeaseQueue(redis: Redis, identity: string): LeaseQueue {
  return new BullmqLeaseQueue(queueName(identity), redis, (name, options) =>
    // Whoever connected has checked the server. BullMQ would print what it thinks of its settings.
    createRedisBackend(name, { ...options, skipVersionCheck: true }),
  );
}
