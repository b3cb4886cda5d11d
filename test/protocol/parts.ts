import { CoordinatorState, type CoordinatorOptions } from "../../src/protocol/coordinator-state.js";
import type { Effect, ProtocolQueue, Steps } from "../../src/protocol/effects.js";
import type { Fence, Hub } from "../../src/protocol/hub.js";
import { MemoryHub } from "../../src/protocol/memory-hub.js";
import { RowTable } from "../../src/protocol/row-table.js";
import type { JournalEvent } from "../../src/protocol/events.js";
import { TIME } from "./simulation/tasks.js";
import { simTiming } from "./simulation/timing.js";

/** A coordinator that has claimed its fence, with a hub and a journal in memory, and a clock that is set. */
export class CoordinatorParts {
  readonly hub = new MemoryHub(() => "server");
  readonly journal: JournalEvent[] = [];
  readonly state: CoordinatorState;
  /** Called before each effect. */
  beforeEffect: (effect: Effect) => void = () => {};
  now = 0;

  constructor(options: Partial<CoordinatorOptions> = {}) {
    this.state = new CoordinatorState(
      {
        nonce: "c",
        rows: 10,
        concurrency: 10,
        attempts: 2,
        timing: simTiming(14),
        local: null,
        isPredecessorDead: true,
        rowTable: new RowTable(16),
        listener: {},
        ...options,
      },
      {
        now: () => this.now,
        time: () => TIME,
        left: () => {},
        mayOffer: () => {},
        parse: () => null,
        hasEnded: () => false,
        warn: () => {},
        halted: () => {},
      },
    );
    const fence: Fence = { number: 1, nonce: "c", server: "server" };
    this.hub.claim(fence);
    this.state.current = fence;
    this.state.isReady = true;
  }

  /** Carries steps out, one effect after the other. */
  run<T>(steps: Steps<T>): T {
    let next = steps.next();
    while (next.done !== true) {
      this.beforeEffect(next.value);
      next = steps.next(this.#perform(next.value));
    }
    return next.value;
  }

  #perform(effect: Effect): unknown {
    if (effect.kind === "hub") return effect.step(this.hub as Hub);
    if (effect.kind === "queue") return effect.step({} as ProtocolQueue);
    if (effect.kind !== "write") return undefined;
    for (const { event } of effect.events) this.journal.push(event);
    return effect.events.map((_event, offset) => ({ offset, length: 1 }));
  }
}
