import { isDeepStrictEqual } from "node:util";
import { HaltError } from "../../../src/errors.js";
import { parseWorkerLine } from "../../../src/journal/parse-line.js";
import { Window } from "../../../src/producer/window.js";
import { Coordinator } from "../../../src/protocol/coordinator.js";
import type { CoordinatorState, CoordinatorWorld } from "../../../src/protocol/coordinator-state.js";
import {
  flush,
  onHub,
  onQueue,
  sleep,
  type Effect,
  type LinePlace,
  type Steps,
  type WrittenEvent,
} from "../../../src/protocol/effects.js";
import type { JournalEvent, RowTask } from "../../../src/protocol/events.js";
import { Unanswered } from "../../../src/protocol/hub.js";
import { Ledger, type LedgerListener } from "../../../src/protocol/ledger.js";
import { LocalWorker } from "../../../src/protocol/local-worker.js";
import { RowTable } from "../../../src/protocol/row-table.js";
import { LOCAL_WORKER } from "../../../src/protocol/takeover.js";
import type { Budget } from "../../../src/run/budget.js";
import { LeaseOffers } from "../../../src/run/coordinator/lease-offers.js";
import { lostResult } from "../../../src/worker/row-result.js";
import type { CoordinatorEnd, SimContext } from "./context.js";
import type { SimJournal } from "./disk.js";
import type { SimProcess, Thread } from "./engine.js";
import { SimServer } from "./server.js";
import { unitBudget } from "./sim-budget.js";
import { SimCaller } from "./sim-caller.js";
import { taskOf, TIME } from "./tasks.js";
import { GRACE_MS, TELL_MS } from "./timing.js";

const NOWHERE = { offset: -1, length: 0 };

export interface ExecutionParts {
  readonly process: SimProcess;
  readonly isPredecessorDead: boolean;
  readonly retries: boolean;
  readonly onEnd: () => void;
}

interface LocalParts {
  readonly worker: LocalWorker;
  readonly caller: SimCaller;
}

/** One run in the hands of a coordinator that has the run lock: what src/run/coordinator/execute.ts does, step by step. */
export class SimExecution {
  readonly journal: SimJournal;
  readonly #sim: SimContext;
  readonly #parts: ExecutionParts;
  readonly #server: SimServer;
  readonly #amount: number | null;
  readonly #budget: Budget | null;
  readonly #coordinator: Coordinator;
  readonly #offers: LeaseOffers;
  readonly #local: LocalParts | null;
  readonly #versions: ReadonlyMap<number, number>;
  /** Rows that were settled, of which the witness was not told. */
  #untold: number[] = [];
  /** Calls that were, or may have been, billed. */
  #paid = 0;
  #isProduced = false;
  #end: CoordinatorEnd | null = null;

  constructor(sim: SimContext, parts: ExecutionParts) {
    const { settings, disk, witness, without } = sim;
    const { process } = parts;
    this.#sim = sim;
    this.#parts = parts;
    this.journal = disk.open();
    this.#server = settings.isEmbedded ? new SimServer(process.name) : sim.server;
    this.#amount = settings.budget;
    this.#budget = this.#amount === null ? null : unitBudget(this.#amount, settings.attempts);
    this.#coordinator = new Coordinator(
      {
        nonce: process.name,
        rows: settings.rows,
        concurrency: settings.concurrency,
        attempts: settings.attempts,
        timing: settings.timing,
        local: settings.hasLocal ? `${LOCAL_WORKER}${process.name}` : null,
        isPredecessorDead: parts.isPredecessorDead,
        rowTable: new RowTable(16),
        listener: this.#listener(),
      },
      this.#world(),
    );
    without?.coordinator?.(this.#state);
    without?.ledger?.(this.#state.ledger);
    this.#offers = this.#newOffers();
    for (const { event, offset, length } of this.journal.readOthers())
      this.#state.ledger.apply(event, offset, length);
    if (parts.retries) this.#retrySome();
    this.#versions = new Map(witness.versions);
    this.#local = settings.hasLocal ? this.#newLocal() : null;
  }

  get isEnding(): boolean {
    return this.#end !== null;
  }

  start(): void {
    this.#spawn("keepLock", this.#coordinator.keepLock());
    this.#spawn("coordinate", this.#coordinator.coordinate());
    this.#spawn("produce", this.#produce());
    if (this.#local === null) return;
    const { worker } = this.#local;
    this.#spawn("serve", worker.serve());
    this.#spawn("free", worker.freeSlots());
    this.#spawn("claim", worker.claimLeases());
  }

  stop(): void {
    this.#because("interrupted");
  }

  get #state(): CoordinatorState {
    return this.#coordinator.state;
  }

  #newOffers(): LeaseOffers {
    const { settings, engine } = this.#sim;
    return new LeaseOffers({
      state: this.#state,
      budget: this.#budget,
      window: new Window(1_000),
      leaseRows: () => settings.leaseRows,
      onLost: (task) => this.#giveUp(task),
      onSpent: () => this.#because("no money"),
      wake: () => engine.wake(this.#parts.process),
    });
  }

  #newLocal(): LocalParts {
    const { process } = this.#parts;
    const name = `${LOCAL_WORKER}${process.name}`;
    const caller = new SimCaller({
      sim: this.#sim,
      process,
      worker: name,
      core: () => worker.core,
      complete: (lease) => {
        if (!this.#server.isAway(this.#sim.engine.now)) this.#server.queue.complete(lease);
      },
      onHalt: () => this.#because("halted"),
    });
    const { settings, without } = this.#sim;
    const timing = without?.workerTiming?.(settings.timing) ?? settings.timing;
    const worker = new LocalWorker(name, this.#state, timing, caller);
    this.#state.localWorker = worker.core;
    return { worker, caller };
  }

  /** Rows that have their results are called again, with another request. */
  #retrySome(): void {
    const { settings, random, witness } = this.#sim;
    const rowIndexes: number[] = [];
    for (let row = 0; row < settings.rows; row++)
      if (this.#state.isSettled(row) && random.chance(0.5)) rowIndexes.push(row);
    if (rowIndexes.length === 0) return;
    this.#sim.say(`${this.#parts.process.name} retries rows ${rowIndexes.join(", ")}`);
    this.#record([{ event: "retry", at: TIME, rowIndexes }]);
    for (const row of rowIndexes) witness.retried(row);
  }

  /** Offers all rows, as the producer does. */
  *#produce(): Steps {
    const { settings, random } = this.#sim;
    for (let row = 0; row < settings.rows; row++) {
      if (this.#state.isSettled(row)) continue;
      while (!this.#offers.offer(taskOf(row, this.#versions.get(row) ?? 0))) {
        this.#offers.flush();
        if (this.#budget?.isSpent === true) this.#because("no money");
        if (this.isEnding) return;
        yield* sleep(random.between(1, 4));
      }
      if (random.chance(0.2)) yield* sleep(random.between(1, 4));
      if (this.isEnding) return;
    }
    this.#offers.flush();
    this.#isProduced = true;
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#isProduced && this.#state.isAllSettled) this.#because("finished");
  }

  #because(end: CoordinatorEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#sim.say(`${this.#parts.process.name} ends: ${end}`);
    if (end === "no money") this.#checkMoney();
    this.#spawn("end", this.#stopAll(end));
  }

  /** Nothing is left, when all that may have been billed is counted. */
  #checkMoney(): void {
    const { ledger } = this.#state;
    const used = this.#paid + [...ledger.openStarts()].length + ledger.unknownStarts;
    if (used < (this.#amount ?? 0))
      this.#sim.findings.flag("halted early", `${used} used or perhaps used of ${this.#amount}`);
  }

  /** No new rows, the calls under way, their results on disk, the server. */
  *#stopAll(end: CoordinatorEnd): Steps {
    const sim = this.#sim;
    const { process } = this.#parts;
    if (end !== "finished") this.#stopLocal();
    const isTold = yield* this.#windDown(end === "finished" ? 0 : GRACE_MS);
    this.#stopLocal();
    yield* this.#endLocalCalls();
    let how = end;
    try {
      yield* flush();
    } catch (error) {
      if (!(error instanceof HaltError)) throw error;
      how = "halted";
    }
    if (isTold && how === "finished") yield* this.#destroyServer();
    this.#state.stopped ??= "ended";
    if (how === "finished") this.#checkResults();
    sim.ended(how);
    if (sim.disk.lock?.holder === process) sim.disk.lock = null;
    this.#parts.onEnd();
  }

  /** What it knows of each row is what a reader of the same lines finds. */
  #checkResults(): void {
    const { findings, disk, settings } = this.#sim;
    const { rows } = this.#state.ledger;
    const reader = new Ledger(new RowTable(16));
    for (const { event, offset, length } of this.journal.known()) reader.apply(event, offset, length);
    for (let row = 0; row < settings.rows; row++) {
      const place = rows.locate(row);
      const line = place === null ? undefined : disk.line(place);
      if (line?.event !== "settled" || line.rowIndex !== row)
        findings.flag("one result", `the result of row ${row} is looked for where it is not`);
      else if (!isDeepStrictEqual(line, disk.line(reader.rows.locate(row) ?? NOWHERE)))
        findings.flag("one result", `row ${row} has another result for who reads the journal`);
    }
  }

  #stopLocal(): void {
    this.#local?.worker.stop();
    this.#local?.caller.leave();
  }

  /** No starts elsewhere any more; calls under way there may end. Returns whether the server was told. */
  *#windDown(graceMs: number): Steps<boolean> {
    const { settings } = this.#sim;
    if (settings.isEmbedded) return true;
    const deadline = this.#now() + graceMs;
    const giveUpAt = this.#now() + TELL_MS;
    for (;;) {
      let isTold = false;
      try {
        yield* this.#coordinator.windDown();
        isTold = true;
      } catch (error) {
        if (error instanceof HaltError) return false;
        if (!(error instanceof Unanswered)) throw error;
      }
      if (this.#state.stopped !== null) return false;
      if (isTold && (this.#coordinator.remoteCalls === 0 || this.#now() > deadline)) return true;
      if (!isTold && this.#now() > giveUpAt) return false;
      yield* sleep(2);
    }
  }

  /** Calls under way here may end; then they are cut off, and listed. */
  *#endLocalCalls(): Steps {
    if (this.#local === null) return;
    const { worker, caller } = this.#local;
    const deadline = this.#now() + GRACE_MS;
    while (worker.core.used > 0 && !this.journal.hasFailed) {
      yield* sleep(1);
      if (this.#now() > deadline) caller.cut();
    }
    caller.cut();
  }

  *#destroyServer(): Steps {
    try {
      yield* onHub((hub) => hub.destroy());
      yield* onQueue((queue) => queue.drain());
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
    }
  }

  /** Writes events outside of the protocol's processes. */
  #record(events: readonly JournalEvent[]): void {
    const places = this.journal.write(events.map((event) => ({ event })));
    this.journal.written();
    for (const [index, event] of events.entries())
      this.#state.apply(event, places[index]?.offset, places[index]?.length);
  }

  #giveUp(task: RowTask): void {
    try {
      const result = lostResult(task, this.#state.losses(task.rowIndex), TIME);
      this.#record([{ event: "settled", billing: "free", ...result }]);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof HaltError)) throw error;
    this.#because("halted");
  }

  #listener(): LedgerListener {
    const budget = (): Budget | null => this.#budget;
    return {
      started: (start) => budget()?.started(start),
      voided: (start) => budget()?.voided(start),
      ended: (call, start) => {
        if (call.billing !== "free") this.#paid++;
        budget()?.ended(call, start);
      },
      settled: ({ rowIndex }) => {
        this.#untold.push(rowIndex);
        this.#finishIfDone();
      },
    };
  }

  #world(): CoordinatorWorld {
    const { process } = this.#parts;
    const { settings, say } = this.#sim;
    return {
      now: () => this.#now(),
      time: () => TIME,
      left: (task, how) => this.#offers.left(task, how),
      mayOffer: () => {
        this.#offers.offerAgain();
        this.#sim.engine.wake(process);
      },
      parse: (text, worker) => parseWorkerLine(text, worker, settings.rows),
      hasEnded: () => false,
      warn: (message, fields) => say(`${process.name}: ${message} ${JSON.stringify(fields)}`),
      halted: () => this.#because("halted"),
    };
  }

  #now(): number {
    return this.#parts.process.clockAt(this.#sim.engine.now);
  }

  #spawn(name: string, steps: Steps<unknown>): void {
    this.#sim.spawn({
      process: this.#parts.process,
      name,
      steps: this.#replacedIsSeen(steps),
      perform: (effect, thread) => this.#perform(effect, thread),
      onError: (error) => this.#failed(error),
    });
  }

  *#replacedIsSeen(steps: Steps<unknown>): Steps {
    yield* steps;
    if (this.#state.stopped === "replaced") this.#because("replaced");
  }

  /** What is recorded is recorded once the effective coordinator knows of it, and nobody has the row in a lease. */
  #tellWitness(): void {
    const { disk, witness } = this.#sim;
    if (this.#untold.length === 0 || disk.lock?.holder !== this.#parts.process) return;
    const { late } = this.#state;
    for (const row of this.#untold)
      if (this.#state.isSettled(row) && !late.includes(row)) witness.recorded(row);
    this.#untold = this.#untold.filter((row) => late.includes(row));
  }

  #perform(effect: Effect, thread: Thread): void {
    const { engine, disk, network } = this.#sim;
    const { process } = this.#parts;
    this.#tellWitness();
    const later = engine.now + network.latency();
    switch (effect.kind) {
      case "write":
        this.#write(effect.events, thread);
        break;
      case "flush":
        this.#flush(thread);
        break;
      case "merge":
        engine.resume(thread, this.journal.readOthers(), null, later);
        break;
      case "lock": {
        const isOurs = disk.lock?.holder === process;
        if (isOurs) disk.lock = { holder: process, verifiedAt: engine.now };
        engine.resume(thread, isOurs, null, later);
        break;
      }
      default:
        this.#sim.perform(effect, thread, this.#server);
    }
  }

  #write(events: readonly WrittenEvent[], thread: Thread): void {
    const { engine, witness, network } = this.#sim;
    let places: readonly LinePlace[];
    try {
      places = this.journal.write(events);
    } catch (error) {
      engine.resume(thread, undefined, error as Error, engine.now);
      return;
    }
    for (const { event } of events) {
      if (event.event === "started" && event.seq === undefined) witness.marked(event, this.#parts.process);
      else if (event.event === "void") witness.voided(event.worker, event.keys);
    }
    engine.inProcess(this.#parts.process, engine.now + network.latency(), () => {
      this.journal.written();
      engine.resume(thread, places, null, engine.now);
    });
  }

  #flush(thread: Thread): void {
    const { engine, network } = this.#sim;
    const upTo = this.journal.length;
    engine.inProcess(this.#parts.process, engine.now + network.latency(), () => {
      try {
        this.journal.flushed(upTo);
        engine.resume(thread, undefined, null, engine.now);
      } catch (error) {
        engine.resume(thread, undefined, error as Error, engine.now);
      }
    });
  }
}
