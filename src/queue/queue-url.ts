import { UsageError } from "../errors.js";

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
