import type { Result } from "../types.js";

/** Longer than an append-only file on `everysec` can lag behind. */
const KEPT_MS = 10_000;
const KEPT_AT_MOST = 5_000;

/**
 * The latest results that this process gave to the queue server. A server that is killed loses its last
 * second, and with it results that it had taken: those kept here are offered once more.
 */
export class RecentResults {
  #kept: { readonly at: number; readonly result: Result }[] = [];

  note(result: Result): void {
    this.#kept.push({ at: performance.now(), result });
    if (this.#kept.length > KEPT_AT_MOST * 2) this.#trim();
  }

  all(): readonly Result[] {
    this.#trim();
    return this.#kept.map(({ result }) => result);
  }

  #trim(): void {
    const since = performance.now() - KEPT_MS;
    this.#kept = this.#kept.slice(-KEPT_AT_MOST).filter(({ at }) => at >= since);
  }
}
