/** A started row and the token of the lock under which it runs. */
export interface HeldLock {
  readonly jobId: string;
  readonly token: string;
}

/** Until a renewal that failed is tried again. */
const RETRY_MS = 1_000;

/**
 * Keeps the locks of started rows alive until each is released.
 *
 * BullMQ's own keeper goes by the wall clock, so that a clock set back stops it, and renews by a command that
 * a server out of memory refuses. Here every lock is renewed at each turn of a timer that never jumps, and a
 * turn that failed is repeated soon.
 */
export class LockKeeper {
  readonly #renew: (locks: readonly HeldLock[]) => Promise<void>;
  readonly #intervalMs: number;
  readonly #held = new Map<string, string[]>();
  #timer: NodeJS.Timeout | undefined;
  #renewing = false;
  #closed = false;

  /** `renew` rejects when it could not be done. */
  constructor(renew: (locks: readonly HeldLock[]) => Promise<void>, intervalMs: number) {
    this.#renew = renew;
    this.#intervalMs = intervalMs;
    this.#schedule(intervalMs);
  }

  hold(jobId: string, token: string): void {
    const held = this.#held.get(jobId);
    if (held === undefined) this.#held.set(jobId, [token]);
    else held.push(token);
  }

  release(jobId: string, token: string): void {
    const held = this.#held.get(jobId);
    if (held === undefined) return;
    const left = held.filter((each) => each !== token);
    if (left.length === 0) this.#held.delete(jobId);
    else this.#held.set(jobId, left);
  }

  /** Under how many tokens a row runs here; more than one when a queue that lost data gave it out again. */
  count(jobId: string): number {
    return this.#held.get(jobId)?.length ?? 0;
  }

  holds(jobId: string, token: string): boolean {
    return this.#held.get(jobId)?.includes(token) ?? false;
  }

  /** Renews all now: after an interruption, before the server gives rows away. */
  async renewNow(): Promise<void> {
    if (this.#closed || this.#renewing) return;
    this.#renewing = true;
    clearTimeout(this.#timer);
    let waitMs = this.#intervalMs;
    try {
      const locks = [...this.#held].flatMap(([jobId, tokens]) => tokens.map((token) => ({ jobId, token })));
      if (locks.length > 0) await this.#renew(locks);
    } catch {
      waitMs = RETRY_MS;
    } finally {
      this.#renewing = false;
      this.#schedule(waitMs);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(waitMs: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.renewNow(), waitMs);
    this.#timer.unref();
  }
}
