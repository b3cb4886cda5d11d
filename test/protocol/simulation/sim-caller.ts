import type { Lease, RowTask } from "../../../src/protocol/events.js";
import type {
  AttemptEnd,
  Call,
  Outcome,
  WorkerCore,
  WorkerRow,
  WorkerWorld,
} from "../../../src/protocol/worker-core.js";
import type { SimContext } from "./context.js";
import type { SimProcess } from "./engine.js";
import type { SentCall } from "./provider.js";
import { resultOf, TIME } from "./tasks.js";

export interface CallerParts {
  readonly sim: SimContext;
  readonly process: SimProcess;
  readonly worker: string;
  readonly core: () => WorkerCore;
  readonly complete: (lease: Lease) => void;
  /** The provider refuses the worker's key: what every row would meet. */
  readonly onHalt: () => void;
}

/** What surrounds a worker's rows in the simulation: a rate limiter, and the provider. */
export class SimCaller implements WorkerWorld {
  readonly #parts: CallerParts;
  readonly #flying = new Map<Call, SentCall>();
  #isLeaving = false;

  constructor(parts: CallerParts) {
    this.#parts = parts;
  }

  now(): number {
    const { sim, process } = this.#parts;
    return process.clockAt(sim.engine.now);
  }

  time(): string {
    return TIME;
  }

  wake(): void {
    this.#parts.sim.engine.wake(this.#parts.process);
  }

  admit(row: WorkerRow): void {
    this.#after(this.#parts.sim.random.of([0, 0, 0, 1, 3]), () => {
      if (this.#isLeaving) this.#parts.core().refused(row);
      else this.#parts.core().admitted(row);
    });
  }

  dismiss(): void {}

  complete(lease: Lease): void {
    this.#after(1, () => this.#parts.complete(lease));
  }

  /** Rows that wait for their turn are refused; calls under way go on. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Calls under way are cut off. */
  cut(): void {
    for (const [call, sent] of this.#flying) {
      sent.endsAt = this.#parts.sim.engine.now;
      this.#end(call, { kind: "returned", attempt: attempt("possible", false), reason: "stopping" });
    }
  }

  call(call: Call): void {
    const { sim, process, worker } = this.#parts;
    const { rowIndex } = call.task;
    const key = `${worker}:${call.key}`;
    const isPromised = sim.witness.sent(key, rowIndex, process);
    const sent = sim.provider.send({ key, worker, row: rowIndex, process, isPromised });
    sim.say(`${worker} calls row ${rowIndex}, attempt ${call.key}`);
    this.#flying.set(call, sent);
    if (sim.settings.poison.has(rowIndex)) this.#after(1, () => sim.kill(process));
    this.#after(sent.endsAt - sim.engine.now, () => this.#end(call, this.#outcome(call, sent), sent));
  }

  #end(call: Call, outcome: Outcome, sent?: SentCall): void {
    if (!this.#flying.delete(call)) return;
    const { sim, worker } = this.#parts;
    if (sent !== undefined && outcome.kind === "returned" && outcome.reason === "halted")
      this.#parts.onHalt();
    sim.say(
      `${worker} has the end of attempt ${call.key}, row ${call.task.rowIndex}: ${sent?.end ?? "cut off"}`,
    );
    this.#parts.core().ended(call, outcome);
  }

  #outcome({ task }: Call, { end }: SentCall): Outcome {
    const { settings } = this.#parts.sim;
    const version = task.requestDigest ?? "";
    switch (end) {
      case "answer":
        return { kind: "settled", billing: "billed", result: resultOf(task, `answer to ${version}`) };
      case "row error":
        return { kind: "settled", billing: "free", result: resultOf(task, null) };
      case "refused key":
        return { kind: "returned", attempt: attempt("free", false), reason: "halted" };
      case "throttled":
        return this.#again(task, attempt("free", false));
      case "unusable":
      case "server error":
      case "timeout": {
        const billing = end === "unusable" ? "billed" : "possible";
        if (task.ended + 1 >= settings.attempts)
          return { kind: "settled", billing, result: resultOf(task, null) };
        return this.#again({ ...task, ended: task.ended + 1 }, attempt(billing, true));
      }
    }
  }

  /** Another call, if it is paid for; else the coordinator is asked for the money. */
  #again(task: RowTask, end: AttemptEnd): Outcome {
    const { paidCalls } = task;
    const waitMs = this.#parts.sim.random.between(0, 5);
    if (paidCalls === null || end.billing === "free") return { kind: "again", waitMs, attempt: end, task };
    if (paidCalls <= 1) return { kind: "returned", attempt: end, reason: "unpaid" };
    return { kind: "again", waitMs, attempt: end, task: { ...task, paidCalls: paidCalls - 1 } };
  }

  #after(ms: number, run: () => void): void {
    const { sim, process } = this.#parts;
    sim.engine.inProcess(process, sim.engine.now + ms, run);
  }
}

function attempt(billing: AttemptEnd["billing"], counts: boolean): AttemptEnd {
  return { at: TIME, counts, billing, usage: null };
}
