import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { HubConnection } from "../../src/fleet/hub-connection.js";
import { RedisHub } from "../../src/fleet/redis-hub.js";
import type { Fence, Lines } from "../../src/protocol/hub.js";
import { afterTest } from "../support/after-test.js";
import { redisUrl } from "../support/redis-url.js";

/** An ordinary connection, to look at keys and to disturb. */
export function openRedis(url = redisUrl()): Redis {
  const redis = new Redis(url);
  redis.on("error", () => {}); // servers of these tests die
  afterTest(() => redis.disconnect());
  return redis;
}

export async function openConnection(url = redisUrl(), timeoutMs?: number): Promise<HubConnection> {
  const connection = await HubConnection.open(openRedis(url), timeoutMs);
  afterTest(() => connection.close());
  return connection;
}

export interface OpenedHub {
  readonly hub: RedisHub;
  readonly connection: HubConnection;
  readonly identity: string;
  readonly prefix: string;
}

/** The hub of a run of its own. */
export async function openHub(url?: string, timeoutMs?: number): Promise<OpenedHub> {
  const connection = await openConnection(url, timeoutMs);
  const identity = randomUUID();
  return {
    hub: new RedisHub(connection, identity),
    connection,
    identity,
    prefix: `promptmill:${identity}:`,
  };
}

export function fenceOf(server: string, number = 1, nonce = "nonce"): Fence {
  return { number, nonce, server };
}

/** Lines numbered from `from` on, each with a change of the calls under way. */
export function lines(from: number, ...texts: readonly [text: string, calls: number][]): Lines {
  return { from, texts: texts.map(([text]) => text), calls: texts.map(([, calls]) => calls) };
}

export const NO_LINES: Lines = { from: 1, texts: [], calls: [] };
