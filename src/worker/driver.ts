import type { Effect, Steps } from "../protocol/effects.js";

/** Carries out one effect. What is no promise is known at once. */
export type Perform = (effect: Exclude<Effect, { kind: "sleep" }>) => unknown;

/**
 * Runs processes of the protocol in the real world: carries out each effect and goes on with what it comes to.
 *
 * A wake-up ends the sleep of all of them, once for everything that happens in one turn of the event loop. One that comes while
 * a process is at work is for its next sleep.
 */
export class Driver {
  readonly #perform: Perform;
  readonly #sleepers = new Map<() => void, NodeJS.Timeout>();
  #isWaking = false;
  /** Wake-ups so far. */
  #wakes = 0;
  #isClosed = false;

  constructor(perform: Perform) {
    this.#perform = perform;
  }

  /** Resolves when the process ends; rejects with what it throws. */
  async run<T>(steps: Steps<T>): Promise<T> {
    let wakes = this.#wakes;
    let next = steps.next();
    while (next.done !== true) {
      const effect = next.value;
      if (effect.kind === "sleep") {
        await (this.#wakes === wakes || this.#isWaking ? this.#sleep(effect.ms) : undefined);
        wakes = this.#wakes;
        next = steps.next();
        continue;
      }
      try {
        const made = this.#perform(effect);
        next = steps.next(made instanceof Promise ? await made : made);
      } catch (error) {
        next = steps.throw(error);
      }
    }
    return next.value;
  }

  readonly wake = (): void => {
    this.#wakes++;
    if (this.#isWaking) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      for (const wake of [...this.#sleepers.keys()]) wake();
    });
  };

  /** Who sleeps, or will, sleeps for ever: a process whose end nothing can bring any more does not keep the program alive. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#sleepers.values()) clearTimeout(timer);
    this.#sleepers.clear();
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isClosed) return;
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.set(wake, timer);
    });
  }
}
