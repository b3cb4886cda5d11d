import type { ProviderError } from "../provider/provider.js";
import type { ModelRequest } from "../types.js";
import type { Pacer, Permit } from "./pacer.js";
import { retryDelayMs } from "./retry.js";

/**
 * Stops all calls of a process for a while when the provider says that there are too many.
 *
 * The wait grows with each further refusal in a row, and begins anew after the first answer.
 */
export class CoolDownPacer implements Pacer {
  #until = 0;
  #refusals = 0;

  async acquire(_request: ModelRequest, signal: AbortSignal): Promise<Permit> {
    for (;;) {
      if (signal.aborted) throw signal.reason;
      const wait = this.#until - performance.now();
      if (wait <= 0) return this.#permit;
      await sleep(wait, signal);
    }
  }

  /** Milliseconds until calls may start again; 0 when they may. */
  get coolDownMs(): number {
    return Math.max(0, this.#until - performance.now());
  }

  readonly #permit: Permit = {
    succeeded: () => {
      this.#refusals = 0;
    },
    throttled: (error: ProviderError) => {
      // Refusals of one burst count once: those that were on their way when the cool-down began.
      if (this.coolDownMs === 0) this.#refusals++;
      const delay = retryDelayMs(error, Math.max(1, this.#refusals));
      this.#until = Math.max(this.#until, performance.now() + delay);
      return Math.ceil(this.coolDownMs * (1 + Math.random()));
    },
    failed: () => {},
  };
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}
