import type { Effect, Steps } from "../../src/protocol/effects.js";

/** Carries out effects that are not a sleep. */
export type Perform = (effect: Exclude<Effect, { kind: "sleep" }>) => unknown;

/** The processes of one part of the protocol, in this program: they wait for what they ask, and sleep until woken. */
export class Driver {
  readonly #perform: Perform;
  readonly #sleepers = new Set<() => void>();
  #wakes = 0;

  constructor(perform: Perform) {
    this.#perform = perform;
  }

  wake(): void {
    this.#wakes++;
    for (const wakeUp of this.#sleepers) wakeUp();
  }

  async run(steps: Steps): Promise<void> {
    let seen = this.#wakes;
    let next = steps.next();
    while (next.done !== true) {
      const effect = next.value;
      if (effect.kind === "sleep") {
        // What woke it while it was at work is not slept through.
        if (this.#wakes === seen) await this.sleep(effect.ms);
        seen = this.#wakes;
        next = steps.next();
        continue;
      }
      try {
        const value = await this.#perform(effect);
        next = steps.next(value);
      } catch (error) {
        next = steps.throw(error);
      }
    }
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(wakeUp, ms);
      const sleepers = this.#sleepers;
      function wakeUp(): void {
        clearTimeout(timer);
        sleepers.delete(wakeUp);
        resolve();
      }
      sleepers.add(wakeUp);
    });
  }
}
