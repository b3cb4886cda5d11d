import type { Redis } from "ioredis";
import type { RunRegistry } from "./registry.js";

const RECHECK_MS = 200;

/**
 * Holds a worker's rows back while its Redis has not been checked against the journal.
 *
 * A row that lost its worker once may have been settled by a coordinator that died before it could tell the
 * queue: it, too, waits for a living coordinator's word.
 *
 * *open*: rows start at once. *unsure*, entered whenever the connection closes: the next row to start asks
 * whether the server is the one that the coordinator has checked, and waits until it is. A row that waited
 * starts only if it still has its lock, since the coordinator may have dropped it meanwhile.
 */
export class EpochGate {
  readonly #redis: Redis;
  readonly #registry: RunRegistry;
  readonly #runId: string;
  readonly #signal: AbortSignal;
  readonly #aborted: Promise<void>;
  readonly #holdsLock: (jobId: string, token: string) => Promise<boolean>;
  readonly #onClose = (): void => {
    this.#open = false;
  };
  #open = false;
  #asking: Promise<void> | null = null;

  constructor(
    redis: Redis,
    registry: RunRegistry,
    runId: string,
    holdsLock: (jobId: string, token: string) => Promise<boolean>,
    signal: AbortSignal,
  ) {
    this.#redis = redis;
    this.#registry = registry;
    this.#runId = runId;
    this.#holdsLock = holdsLock;
    this.#signal = signal;
    this.#aborted = new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    redis.on("close", this.#onClose);
  }

  /** False: leave the row alone, it is no longer ours. */
  async mayStart(jobId: string, token: string, isRestart: boolean): Promise<boolean> {
    if (isRestart) this.#open = false;
    if (this.#open) return true;
    this.#asking ??= this.#waitUntilChecked().finally(() => {
      this.#asking = null;
    });
    await Promise.race([this.#asking, this.#aborted]);
    if (this.#signal.aborted) return true; // the row is handed back by the usual way
    return await this.#holdsLock(jobId, token);
  }

  close(): void {
    this.#redis.off("close", this.#onClose);
  }

  async #waitUntilChecked(): Promise<void> {
    while (!this.#signal.aborted) {
      const [serverId, epoch] = await Promise.all([
        this.#registry.serverId(),
        this.#registry.epoch(this.#runId),
      ]);
      if (epoch?.startsWith(`${serverId} `) === true) {
        this.#open = true;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, RECHECK_MS));
    }
  }
}
