import type { PaceReply, PaceReport, PaceStore } from "../queue/pace-store.js";
import { exchangePace, newPaceState, type PaceState } from "./pace-arithmetic.js";

/** The pace of one process: for the embedded queue, which has one process only. */
export class MemoryPaceStore implements PaceStore {
  readonly #states = new Map<string, PaceState>();
  readonly #now: () => number;

  /** `now`: milliseconds of a clock that does not jump. */
  constructor(now: () => number = () => performance.timeOrigin + performance.now()) {
    this.#now = now;
  }

  exchange(key: string, report: PaceReport): Promise<PaceReply> {
    let state = this.#states.get(key);
    if (state === undefined) {
      state = newPaceState();
      this.#states.set(key, state);
    }
    return Promise.resolve(exchangePace(state, report, this.#now()));
  }
}
