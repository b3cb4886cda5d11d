import { HaltError } from "../../../src/errors.js";
import { sleep, type Steps } from "../../../src/protocol/effects.js";
import type { Resume, SimContext } from "./context.js";
import type { SimProcess } from "./engine.js";
import { SimExecution } from "./sim-execution.js";
import { STALE_MS } from "./timing.js";

/** A process that runs or resumes: it waits for the run lock, then carries the run out. */
export class SimCoordinator {
  readonly process: SimProcess;
  readonly #sim: SimContext;
  readonly #how: Resume;
  #execution: SimExecution | null = null;
  #hasEnded = false;

  constructor(sim: SimContext, how: Resume) {
    this.#sim = sim;
    this.#how = how;
    this.process = sim.newProcess(sim.newName("c"));
  }

  get isOver(): boolean {
    return !this.process.isAlive || (this.#hasEnded && this.process.threads.size === 0);
  }

  /** It has the run lock, and is not ending. */
  get isRunning(): boolean {
    return !this.isOver && this.#execution?.isEnding === false;
  }

  start(): void {
    const perform = (): never => {
      throw new Error("it only waits");
    };
    this.#sim.engine.spawn({ process: this.process, name: "lock", steps: this.#takeLock(), perform });
  }

  /** The user wants it to stop. */
  stop(): void {
    this.#execution?.stop();
  }

  onDeath(isPowerCut: boolean): void {
    const { witness, random, provider } = this.#sim;
    const journal = this.#execution?.journal;
    if (journal === undefined) return;
    witness.lost(journal.tear(random));
    if (isPowerCut) witness.lost(journal.losePower(random));
    for (const call of provider.sent) if (witness.lostMarks.has(call.key)) call.isPromised = false;
  }

  *#takeLock(): Steps {
    const { disk, engine, random, say } = this.#sim;
    // A process of the same machine is asked for; of another one only its silence is seen.
    const isNear = random.chance(0.7);
    for (;;) {
      if (this.#sim.isDone) break;
      const { lock } = disk;
      const isDead = lock === null || (isNear && !lock.holder.isAlive);
      if (isDead || this.#how.takesOver === true || engine.now - lock.verifiedAt > STALE_MS) {
        if (lock !== null && this.#how.takesOver === true) disk.robbedAt.set(lock.holder, engine.now);
        disk.lock = { holder: this.process, verifiedAt: engine.now };
        say(`${this.process.name} takes the run lock`);
        this.#open(isDead);
        return;
      }
      yield* sleep(5);
    }
    this.#hasEnded = true;
  }

  #open(isPredecessorDead: boolean): void {
    try {
      this.#execution = this.#newExecution(isPredecessorDead);
      this.#execution.start();
    } catch (error) {
      if (!(error instanceof HaltError)) throw error;
      this.#sim.disk.lock = null;
      this.#hasEnded = true;
      this.#sim.ended("halted");
    }
  }

  #newExecution(isPredecessorDead: boolean): SimExecution {
    return new SimExecution(this.#sim, {
      process: this.process,
      isPredecessorDead,
      retries: this.#how.retries === true,
      onEnd: () => this.#sim.exit(this.process),
    });
  }
}
