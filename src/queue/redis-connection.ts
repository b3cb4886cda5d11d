import { Redis, type RedisOptions } from "ioredis";
import { UsageError } from "../errors.js";
import { displayQueueUrl } from "./names.js";

/** How long a first connection may take before the queue URL counts as wrong. */
const CONNECT_TIMEOUT_MS = 5_000;
const MAX_RECONNECT_DELAY_MS = 2_000;
const CLOSE_MS = 2_000;

/**
 * Connects to Redis and makes sure that somebody answers there. Later interruptions are waited out:
 * commands stay queued until the server is back.
 *
 * UsageError when nobody answers, the password is wrong or the server is too old.
 */
export async function connectRedis(
  url: string,
  warn: (message: string) => void = () => {},
  connectionName?: string,
): Promise<Redis> {
  const redis = new ForgetfulRedis(url, {
    ...(connectionName === undefined ? {} : { connectionName }),
    lazyConnect: true,
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (times) => (ready ? Math.min(times * 100, MAX_RECONNECT_DELAY_MS) : null),
  } satisfies RedisOptions);
  let ready = false;
  let lastError: Error | undefined;
  redis.on("error", (error: Error) => {
    lastError = error;
  });
  try {
    await redis.connect();
    await checkServer(redis, warn);
    ready = true;
    return redis;
  } catch (error) {
    redis.disconnect();
    if (error instanceof UsageError) throw error;
    throw connectionRefused(url, lastError ?? (error as Error));
  }
}

/**
 * Lets go of what a command was called with once it is answered. Commands of ioredis outlive their replies, and
 * what they hold is copied into the old generation of the heap: of a fast run, two thirds of what the commands carry.
 */
class ForgetfulRedis extends Redis {
  override sendCommand(...sent: Parameters<Redis["sendCommand"]>): unknown {
    const reply = super.sendCommand(...sent) as Promise<unknown>;
    const forget = (): void => {
      sent[0].args = [];
    };
    reply.then(forget, forget);
    return reply;
  }
}

/** A server that is not there is not waited for. */
export async function disconnectRedis(redis: Redis): Promise<void> {
  const patience = new Promise((resolve) =>
    setTimeout(resolve, redis.status === "ready" ? CLOSE_MS : 0).unref(),
  );
  await Promise.race([redis.quit().catch(() => {}), patience]);
  redis.disconnect();
}

async function checkServer(redis: Redis, warn: (message: string) => void): Promise<void> {
  const info = await redis.info("server");
  const version = /^(?:redis|valkey)_version:(\S+)/m.exec(info)?.[1] ?? "unknown";
  const major = Number(version.split(".")[0]);
  if (Number.isFinite(major) && major < 7) {
    throw new UsageError(`Redis: expected version 7 or later, the server says ${version}.`, {
      code: "redis_too_old",
      hint: "Use Redis 7+ or Valkey 7+, or leave --queue away for the embedded queue.",
    });
  }
  const memory = await redis.info("memory").catch(() => "");
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
  if (policy !== undefined && policy !== "noeviction") {
    warn(
      `Redis evicts keys when memory is short (maxmemory-policy ${policy}); set it to noeviction, or rows can be called twice.`,
    );
  }
}

function connectionRefused(url: string, cause: Error): UsageError {
  const isPassword = /WRONGPASS|NOAUTH|NOPERM/.test(cause.message);
  return new UsageError(
    isPassword
      ? `Redis at ${displayQueueUrl(url)} refused the user or password.`
      : `No Redis answers at ${displayQueueUrl(url)} (${(cause as NodeJS.ErrnoException).code ?? "connection failed"}).`,
    {
      code: isPassword ? "redis_refused" : "redis_unreachable",
      hint: isPassword
        ? "Put them in the URL: redis://user:password@host:6379"
        : "Start one (docker compose up -d redis), correct the URL, or leave --queue away for the embedded queue.",
    },
  );
}
