import { UsageError } from "../errors.js";
import type { EmbeddedQueueServer } from "./embedded-queue.js";
import type { RedisQueueServer } from "./redis-queue.js";

export interface QueueServerOptions {
  /** redis:// or rediss://; null for the embedded queue. */
  readonly url: string | null;
  /** Where the embedded queue lives: `.promptmill` of the working folder. */
  readonly embeddedRoot: string;
  /** The embedded directory that this run used before; null to take a free one. */
  readonly embeddedDirectory?: string | null;
  /** Told about settings of the server that put rows at risk. */
  readonly warn?: (message: string) => void;
}

/** Opens the queue that a URL chooses. UsageError when the URL is not one, or nobody answers there. */
export async function openQueueServer(
  options: QueueServerOptions,
): Promise<RedisQueueServer | EmbeddedQueueServer> {
  if (options.url === null) {
    const { openEmbeddedQueueServer } = await import("./embedded-queue.js");
    return openEmbeddedQueueServer(options.embeddedRoot, options.embeddedDirectory ?? null);
  }
  checkQueueUrl(options.url);
  const { openRedisQueueServer } = await import("./redis-queue.js");
  return openRedisQueueServer(options.url, options.warn);
}

/** Refuses what is not a queue URL, before anything else is done. */
export function checkQueueUrl(url: string): void {
  const hint = "Use redis://host:6379, rediss://host:6379, or no --queue for the embedded queue.";
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new UsageError(`--queue: expected a URL such as redis://127.0.0.1:6379, received something else.`, {
      code: "queue_url_invalid",
      hint,
    });
  }
  if (parsed.protocol !== "redis:" && parsed.protocol !== "rediss:") {
    throw new UsageError(
      `--queue: expected a redis:// or rediss:// URL, received one that starts with ${parsed.protocol}//`,
      { code: "queue_url_invalid", hint },
    );
  }
}
