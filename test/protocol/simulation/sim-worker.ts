import { onHub, sleep, type Effect, type Steps } from "../../../src/protocol/effects.js";
import { Unanswered } from "../../../src/protocol/hub.js";
import { RemoteWorker } from "../../../src/protocol/remote-worker.js";
import type { SimContext } from "./context.js";
import type { SimProcess, Thread } from "./engine.js";
import { SimCaller } from "./sim-caller.js";
import { GRACE_MS, TELL_MS } from "./timing.js";

/** A worker process: it serves the run until it is stopped, then leaves. */
export class SimWorker {
  readonly process: SimProcess;
  readonly #sim: SimContext;
  readonly #worker: RemoteWorker;
  readonly #caller: SimCaller;

  constructor(sim: SimContext) {
    const name = sim.newName("w");
    const { settings, server, engine } = sim;
    this.#sim = sim;
    this.process = sim.newProcess(name);
    this.#caller = new SimCaller({
      sim,
      process: this.process,
      worker: name,
      core: () => this.#worker.core,
      // What cannot be ended now is found by the coordinator.
      complete: (lease) => {
        if (!server.isAway(engine.now) && this.process.cutUntil <= engine.now) server.queue.complete(lease);
      },
      onHalt: () => this.#worker.halt({ code: "unauthorized", message: "The key was refused." }),
    });
    const timing = sim.without?.workerTiming?.(settings.timing) ?? settings.timing;
    this.#worker = new RemoteWorker({ id: name, capacity: settings.concurrency, timing }, this.#caller);
    this.#watchVoids();
    sim.without?.worker?.(this.#worker);
  }

  get isOver(): boolean {
    return !this.process.isAlive || this.process.threads.size === 0;
  }

  start(): void {
    this.#spawn("serve", this.#serve());
    this.#spawn("claim", this.#worker.claimLeases());
  }

  /** Nothing more is called; calls under way may end. */
  stop(): void {
    this.#worker.stop();
    this.#caller.leave();
    this.#sim.engine.inProcess(this.process, this.#sim.engine.now + GRACE_MS, () => this.#caller.cut());
  }

  /** Attempts that were voided by events which nobody has read yet. */
  voids(): string[] {
    return this.#worker.outbox.all().texts.flatMap((text) => {
      const event = JSON.parse(text) as { event: string; keys?: number[] };
      return event.event === "void" ? (event.keys ?? []).map((key) => `${this.process.name}:${key}`) : [];
    });
  }

  *#serve(): Steps {
    yield* this.#worker.serve();
    for (const giveUpAt = this.#caller.now() + TELL_MS; this.#caller.now() < giveUpAt;) {
      try {
        yield* onHub((hub) => hub.leave(this.process.name));
        return;
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        yield* sleep(1);
      }
    }
  }

  #spawn(name: string, steps: Steps<unknown>): void {
    const perform = (effect: Effect, thread: Thread): void =>
      this.#sim.perform(effect, thread, this.#sim.server);
    this.#sim.spawn({ process: this.process, name, steps, perform });
  }

  #watchVoids(): void {
    const { outbox } = this.#worker;
    const add = outbox.add.bind(outbox);
    outbox.add = (event, calls) => {
      if (event.event === "void") this.#sim.witness.voided(this.process.name, event.keys);
      add(event, calls);
    };
  }
}
