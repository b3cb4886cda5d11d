import type { IQueueBackend } from "bullmq";
import { BullmqLeaseQueue } from "./bullmq-lease-queue.js";
import { EmbeddedBackend } from "./embedded-backend.js";
import type { LeaseQueue } from "./lease-queue.js";

/** Opens a queue that lives in this process and ends with it. Each call opens one of its own. */
export function openEmbeddedLeaseQueue(): Promise<LeaseQueue> {
  // BullMQ calls no more of a store than the lease queue does.
  const createBackend = (name: string): IQueueBackend =>
    new EmbeddedBackend(name) as unknown as IQueueBackend;
  return Promise.resolve(new BullmqLeaseQueue("promptmill-embedded", {}, createBackend));
}
