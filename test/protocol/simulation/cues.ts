import type { Effect } from "../../../src/protocol/effects.js";
import type { SimContext } from "./context.js";
import { nameOf } from "./effects-in-words.js";
import type { Thread } from "./engine.js";

/** Something that happens at what a process does. */
export interface Cue {
  readonly who: "coordinator" | "worker";
  /** The effect's name: see effects-in-words.ts. */
  readonly doing: string;
  /** asked: before it goes out; done: carried out, and not yet answered. */
  readonly when: "asked" | "done";
  /** Which time, from 1. @default 1 */
  readonly nth?: number;
  readonly then: (sim: SimContext, thread: Thread) => void;
}

/** Listens for cues, each of which comes once. */
export class Cues {
  readonly #sim: SimContext;
  readonly #waiting: { readonly cue: Cue; left: number }[];

  constructor(sim: SimContext, cues: readonly Cue[]) {
    this.#sim = sim;
    this.#waiting = cues.map((cue) => ({ cue, left: cue.nth ?? 1 }));
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  hear(effect: Effect, thread: Thread, when: Cue["when"]): void {
    if (this.isEmpty) return;
    const name = nameOf(effect);
    const who = this.#sim.coordinators.some(({ process }) => process === thread.process)
      ? "coordinator"
      : "worker";
    for (const waiting of [...this.#waiting]) {
      const { cue } = waiting;
      if (cue.who !== who || cue.doing !== name || cue.when !== when || --waiting.left > 0) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      this.#sim.say(
        `${thread.process.name} ${when === "asked" ? "is about to" : "has just had done"}: ${name}`,
      );
      cue.then(this.#sim, thread);
    }
  }
}
