import type { Effect } from "../../../src/protocol/effects.js";
import { replaced, rewired, type Ablation } from "./ablation.js";
import { checkEnd } from "./check-end.js";
import type { CoordinatorEnd, Resume, SimContext, SimSettings } from "./context.js";
import { Cues, type Cue } from "./cues.js";
import { SimDisk } from "./disk.js";
import { Engine, SimProcess, type NewThread, type Thread } from "./engine.js";
import { FAULTS, isPossible, strike, type Fault } from "./faults.js";
import { Findings } from "./findings.js";
import { SimNetwork } from "./network.js";
import { SimProvider } from "./provider.js";
import { Random } from "./random.js";
import { SimServer } from "./server.js";
import { settingsOf, type SettingsWanted } from "./settings.js";
import { SimCoordinator } from "./sim-coordinator.js";
import { SimWorker } from "./sim-worker.js";
import { HORIZON_MS, MOST_STEPS, SAVED_EVERY_MS } from "./timing.js";
import { Witness } from "./witness.js";

export interface SimOptions extends SettingsWanted {
  readonly seed: number;
  /** Faults at given steps of the processes. */
  readonly plan?: ReadonlyMap<number, Fault>;
  /** Faults at what processes do. */
  readonly cues?: readonly Cue[];
  /** Some of these at random times. @default all, unless there is a plan or a cue */
  readonly faults?: readonly Fault[];
  readonly without?: Ablation;
  readonly story?: (line: string) => void;
}

/** One schedule: a run of some rows on a server and a disk that fail, told by its seed. */
export class Simulation implements SimContext {
  readonly settings: SimSettings;
  readonly random: Random;
  readonly engine: Engine;
  readonly network: SimNetwork;
  readonly disk = new SimDisk();
  readonly server = new SimServer("server");
  readonly findings: Findings;
  readonly witness: Witness;
  readonly provider: SimProvider;
  readonly without: Ablation | null;
  readonly coordinators: SimCoordinator[] = [];
  readonly workers: SimWorker[] = [];
  /** Faults that struck. */
  readonly struck: Fault[] = [];
  /** How the run ended; null: it did not. */
  end: CoordinatorEnd | null = null;
  /** Calls that are listed as possibly billed. */
  listed = 0;
  #names = 0;
  #isRaised = false;
  #lastFaultAt = 0;
  #resume: Resume = {};
  readonly #cues: Cues;
  readonly #story: ((line: string) => void) | undefined;

  constructor(options: SimOptions) {
    this.random = new Random(options.seed);
    this.engine = new Engine(this.random);
    this.#story = options.story;
    this.without = options.without ?? null;
    this.#cues = new Cues(this, options.cues ?? []);
    const { random, engine, disk } = this;
    this.settings = settingsOf(options, random);
    this.findings = new Findings(this.say);
    this.network = new SimNetwork(engine, random);
    const { findings } = this;
    const { sendMs, lockMs } = this.settings.timing;
    this.witness = new Witness({ engine, disk, findings, sendMs, lockMs });
    this.provider = new SimProvider({ engine, random, findings, limits: this.settings });
    disk.isOneFile = this.without?.isOneFile === true;
    if (!this.settings.isEmbedded) this.#saveNowAndThen();
    this.startCoordinator(0);
    for (let i = 0; i < this.settings.workers; i++) this.startWorker(random.between(0, 6));
    this.#planFaults(options);
  }

  get isDone(): boolean {
    return this.end !== null;
  }

  run(): this {
    const { setImmediate } = globalThis;
    globalThis.setImmediate = ((run: () => void) => {
      this.engine.soon(run);
    }) as never;
    try {
      while (this.engine.steps < MOST_STEPS && this.engine.next(this.#lastFaultAt + HORIZON_MS))
        if (this.isDone && this.coordinators.every(({ isOver }) => isOver)) break;
    } finally {
      globalThis.setImmediate = setImmediate;
    }
    for (const { process } of [...this.coordinators, ...this.workers]) this.#over(process);
    this.listed = checkEnd(this);
    return this;
  }

  readonly say = (line: string): void => {
    this.#story?.(`${this.engine.now.toFixed(1).padStart(7)} ms  ${line}`);
  };

  newName(letter: string): string {
    return `${letter}${++this.#names}`;
  }

  newProcess(name: string): SimProcess {
    const { random } = this;
    return new SimProcess(name, { offset: random.between(0, 1e6), rate: random.of([0.98, 1, 1, 1.02]) });
  }

  startCoordinator(after: number, how: Resume = {}): void {
    const coordinator = new SimCoordinator(this, how);
    this.coordinators.push(coordinator);
    this.engine.at(this.engine.now + after, () => coordinator.start());
  }

  startWorker(after: number): void {
    const worker = new SimWorker(this);
    this.workers.push(worker);
    this.engine.at(this.engine.now + after, () => worker.start());
  }

  resumesWith(how: Resume): void {
    this.#resume = how;
  }

  spawn(thread: NewThread): void {
    const around = this.without?.around?.();
    const steps = around === undefined ? thread.steps : rewired(thread.steps, around, thread.name);
    this.engine.spawn({
      ...thread,
      steps,
      perform: (effect, running) => {
        this.#cues.hear(effect, running, "asked");
        if (!running.process.isAlive) return;
        thread.perform(effect, running);
        if (effect.kind === "write") this.#cues.hear(effect, running, "done");
      },
    });
  }

  perform(effect: Effect, thread: Thread, server: SimServer): void {
    const onDone = (): void => this.#cues.hear(effect, thread, "done");
    const { without, network, witness } = this;
    if (effect.kind === "hub") {
      const run = (): unknown => {
        const hub = replaced(server.hub, without?.hub?.(server.hub) ?? {});
        return effect.step(witness.watched(hub, thread.process));
      };
      network.ask({ thread, server, run, onDone });
    } else if (effect.kind === "queue") {
      const run = (): unknown => effect.step(replaced(server.queue, without?.queue?.(server.queue) ?? {}));
      network.ask({ thread, server, run, onDone });
    } else throw new Error(`no such effect here: ${effect.kind}`);
  }

  kill(process: SimProcess, isPowerCut = false): void {
    if (!process.isAlive) return;
    this.say(`${process.name} is killed${isPowerCut ? ": the power went" : ""}`);
    this.#over(process);
    process.isAlive = false;
    const coordinator = this.coordinators.find((each) => each.process === process);
    coordinator?.onDeath(isPowerCut);
    if (this.isDone) return;
    if (coordinator === undefined) this.startWorker(this.random.between(1, 30));
    else this.startCoordinator(this.random.between(1, 30));
  }

  exit(process: SimProcess): void {
    this.#over(process);
    process.isAlive = false;
  }

  ended(how: CoordinatorEnd): void {
    if (this.isDone || how === "replaced") return;
    const { settings, random } = this;
    if (how === "finished" || (how === "no money" && (this.#isRaised || random.chance(0.5)))) {
      this.end = how;
      return;
    }
    if (how === "no money") {
      this.#isRaised = true;
      settings.budget = (settings.budget ?? 0) + random.between(1, settings.rows);
      this.say(`the user raises the budget to ${settings.budget}`);
    }
    this.startCoordinator(random.between(1, 30), this.#resume);
    this.#resume = {};
  }

  /** What a process knew is gone. */
  #over(process: SimProcess): void {
    const worker = this.workers.find((each) => each.process === process);
    if (!process.isAlive) return;
    this.witness.over(process, worker?.voids() ?? []);
    this.witness.died(
      process,
      this.provider.sent.filter((call) => call.process === process),
    );
  }

  #strike(fault: Fault): void {
    if (this.isDone || !isPossible(fault, this.settings)) return;
    this.#lastFaultAt = this.engine.now;
    this.struck.push(fault);
    strike(this, fault);
  }

  #planFaults({ plan, cues, faults }: SimOptions): void {
    const { engine, random } = this;
    if (plan !== undefined) {
      engine.beforeStep = () => {
        const fault = plan.get(engine.steps);
        if (fault !== undefined) this.#strike(fault);
      };
    }
    const those = faults ?? (plan === undefined && cues === undefined ? FAULTS : []);
    if (those.length === 0) return;
    let at = random.between(0, 50);
    for (let count = random.of([1, 1, 2, 2, 3, 4, 6]); count > 0; count--) {
      engine.at(at, () => this.#strike(random.of(those)));
      at += random.between(0, 40);
    }
  }

  #saveNowAndThen(): void {
    const { engine, server } = this;
    engine.at(engine.now + SAVED_EVERY_MS, () => {
      if (!server.isAway(engine.now)) server.save();
      if (this.without?.hasStalledCheck === true) server.queue.repeatClaimed();
      this.#saveNowAndThen();
    });
  }
}
