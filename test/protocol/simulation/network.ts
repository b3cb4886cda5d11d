import type { Engine, SimProcess, Thread } from "./engine.js";
import type { Random } from "./random.js";
import type { SimServer } from "./server.js";

export interface Request {
  readonly thread: Thread;
  readonly server: SimServer;
  /** What the server does, in one step. */
  readonly run: () => unknown;
  /** Called once it was done, before the answer travels. */
  readonly onDone?: () => void;
}

/** Requests to a server travel, are carried out, and the answer travels; each way can be lost. */
export class SimNetwork {
  readonly #engine: Engine;
  readonly #random: Random;

  constructor(engine: Engine, random: Random) {
    this.#engine = engine;
    this.#random = random;
  }

  latency(): number {
    return this.#random.of([0, 0, 0, 1, 1, 2]);
  }

  ask(request: Request): void {
    const { thread, server } = request;
    const engine = this.#engine;
    const { generation } = server;
    const arrive = (): void => {
      if (server.frozenUntil > engine.now) engine.at(server.frozenUntil, arrive);
      else if (
        server.downUntil > engine.now ||
        server.generation !== generation ||
        this.#isLost(thread.process)
      )
        engine.unanswered(thread, engine.now + 2);
      else this.#carryOut(request);
    };
    engine.at(engine.now + this.latency(), arrive);
  }

  #carryOut({ thread, server, run, onDone }: Request): void {
    const engine = this.#engine;
    const { generation } = server;
    const answer = run();
    onDone?.();
    engine.at(engine.now + this.latency(), () => {
      if (server.generation !== generation || this.#isLost(thread.process))
        engine.unanswered(thread, engine.now + 1);
      else engine.resume(thread, answer, null, engine.now);
    });
  }

  #isLost({ cutUntil, lossyUntil }: SimProcess): boolean {
    const { now } = this.#engine;
    return cutUntil > now || (lossyUntil > now && this.#random.chance(0.5));
  }
}
