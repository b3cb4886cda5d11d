import type { Money } from "../types.js";

/** How far a run is. Sent to `onProgress` a few times a second, and once at the end. */
export interface Progress {
  readonly runId: string;
  readonly phase: "reading" | "running" | "stopping" | "writing" | "done";
  readonly rows: { readonly total: number; readonly succeeded: number; readonly failed: number };
  /** Answers that ended at maxTokens. */
  readonly truncated: number;
  /** Calls under way in this process. */
  readonly inFlight: number;
  /** Calls so far that ended without settling their row. */
  readonly retried: number;
  readonly throttled: number;
  readonly tokens: { readonly input: number; readonly output: number };
  /** Per currency; models without a price are not in it. */
  readonly cost: readonly Money[];
  /** Rows settled per second, lately. */
  readonly rowsPerSecond: number;
  /** Seconds left at this speed; null when it cannot be said. */
  readonly secondsLeft: number | null;
  /** What holds the run back right now, in a few words; null when nothing does. */
  readonly heldBackBy: string | null;
}

/** Rows per second over the last `WINDOW_MS`, from samples of how many are settled. */
export class RateMeter {
  static readonly #WINDOW_MS = 10_000;
  readonly #samples: { at: number; rows: number }[] = [];

  /** `now` in milliseconds of a clock that never jumps. */
  sample(rows: number, now: number): number {
    this.#samples.push({ at: now, rows });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > RateMeter.#WINDOW_MS)
      this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || now - first.at < 1) return 0;
    return ((rows - first.rows) * 1000) / (now - first.at);
  }
}
