import type { Redis } from "ioredis";
import { randomUUID } from "node:crypto";
import type { HubConnection } from "../../fleet/hub-connection.js";
import { leaseText, parseLease } from "../../fleet/lease-text.js";
import type { Hub } from "../../protocol/hub.js";
import type { ProtocolQueue } from "../../protocol/effects.js";
import type { Lease } from "../../protocol/events.js";
import { MemoryHub } from "../../protocol/memory-hub.js";
import { displayQueueUrl } from "../../queue/names.js";
import { ProtocolLeases } from "../../queue/protocol-leases.js";
import { checkQueueUrl } from "../../queue/queue-url.js";

/** What a run's processes share: hub and queue, on Redis or in this process. */
export interface RunServer {
  readonly kind: "redis" | "embedded";
  /** Without user and password. */
  readonly displayUrl: string;
  readonly redis: Redis | null;
  readonly connection: HubConnection | null;
  readonly hub: Hub;
  readonly queue: ProtocolQueue;
  /** Removes every trace of the run. */
  destroy(): Promise<void>;
  close(): Promise<void>;
}

export interface RunServerOptions {
  /** null: embedded. */
  readonly url: string | null;
  readonly identity: string;
  /** A lease that this process has put. */
  readonly ownLease: (fence: number, number: number) => Lease | null;
  readonly warn: (message: string) => void;
}

/** Opens what a URL chooses. UsageError when the URL is none, or nobody answers there. */
export async function openRunServer(options: RunServerOptions): Promise<RunServer> {
  return options.url === null ? await openEmbedded(options) : await openRedis(options.url, options);
}

async function openEmbedded({ ownLease }: RunServerOptions): Promise<RunServer> {
  const { openEmbeddedLeaseQueue } = await import("../../queue/embedded-lease-queue.js");
  const queue = await openEmbeddedLeaseQueue();
  const server = randomUUID();
  return {
    kind: "embedded",
    displayUrl: "embedded",
    redis: null,
    connection: null,
    hub: new MemoryHub(() => server),
    queue: new ProtocolLeases({ queue, encode: null, decode: ownLease, asUnanswered: (error) => error }),
    destroy: () => Promise.resolve(),
    close: () => queue.close(),
  };
}

async function openRedis(url: string, options: RunServerOptions): Promise<RunServer> {
  checkQueueUrl(url);
  const { connectRedis, disconnectRedis } = await import("../../queue/redis-connection.js");
  const { openRedisLeaseQueue } = await import("../../queue/redis-lease-queue.js");
  const { HubConnection, asUnanswered } = await import("../../fleet/hub-connection.js");
  const { RedisHub } = await import("../../fleet/redis-hub.js");
  const { identity, ownLease } = options;
  const redis = await connectRedis(url, options.warn);
  const queue = openRedisLeaseQueue(redis, identity);
  const connection = await HubConnection.open(redis);
  const hub = new RedisHub(connection, identity);
  return {
    kind: "redis",
    displayUrl: displayQueueUrl(url),
    redis,
    connection,
    hub,
    queue: new ProtocolLeases({
      queue,
      encode: (lease) => leaseText(identity, lease),
      decode: (fence, number, text) =>
        ownLease(fence, number) ?? (text === null ? null : parseLease(identity, text)),
      asUnanswered,
    }),
    destroy: async () => {
      await hub.destroy();
      await queue.destroy();
    },
    close: async () => {
      connection.close();
      await queue.close().catch(() => {});
      await disconnectRedis(redis);
    },
  };
}
