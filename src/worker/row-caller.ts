import type pLimit from "p-limit";
import type { Lease } from "../protocol/events.js";
import type { Call, WorkerCore, WorkerRow, WorkerWorld } from "../protocol/worker-core.js";
import type { Pacer, Permit } from "./pacer.js";
import { attemptRow, type AttemptOptions } from "./row-attempt.js";

export interface RowCallerOptions extends Omit<AttemptOptions, "signal"> {
  readonly pacer: Pacer;
  /** At most so many calls at once, over all runs that share it; absent: the worker's slots are all. */
  readonly limit?: ReturnType<typeof pLimit>;
  readonly complete: (lease: Lease) => void;
  readonly wake: () => void;
}

/** What a row needs for its call, from the time that it is admitted. */
interface Admission {
  readonly permit: Permit;
  /** Gives its place in the limit of all runs to the next. */
  readonly release: () => void;
}

/** Carries out what a worker wants done with its rows: waits for the rate limiter, and calls the model. */
export class RowCaller implements WorkerWorld {
  readonly #options: RowCallerOptions;
  readonly #core: () => WorkerCore;
  readonly #leaving = new AbortController();
  readonly #cutting = new AbortController();
  readonly #attempt: AttemptOptions;

  constructor(options: RowCallerOptions, core: () => WorkerCore) {
    this.#options = options;
    this.#core = core;
    this.#attempt = { ...options, signal: this.#cutting.signal };
  }

  readonly now = (): number => performance.now();

  time(): string {
    return new Date().toISOString();
  }

  wake(): void {
    this.#options.wake();
  }

  complete(lease: Lease): void {
    this.#options.complete(lease);
  }

  admit(row: WorkerRow): void {
    const { limit, pacer } = this.#options;
    const permit =
      limit === undefined && !this.#leaving.signal.aborted ? pacer.tryAcquire(row.task.request) : null;
    if (permit !== null) {
      row.admission = { permit, release: nothing } satisfies Admission;
      this.#core().admitted(row);
    } else if (limit === undefined) void this.#admit(row, nothing);
    else void limit(() => new Promise<void>((release) => void this.#admit(row, release)));
  }

  async #admit(row: WorkerRow, release: () => void): Promise<void> {
    try {
      const permit = await this.#options.pacer.acquire(row.task.request, this.#leaving.signal);
      row.admission = { permit, release } satisfies Admission;
      this.#core().admitted(row);
    } catch {
      release();
      this.#core().refused(row);
    }
  }

  dismiss(row: WorkerRow): void {
    const { permit, release } = row.admission as Admission;
    permit.failed(null);
    release();
  }

  call(call: Call): void {
    const { permit, release } = call.admission as Admission;
    void attemptRow(call.task, permit, this.#attempt).then((outcome) => {
      release();
      this.#core().ended(call, outcome);
    });
  }

  /** Rows that wait for their turn are refused; calls under way go on. */
  leave(): void {
    this.#leaving.abort(new Error("stopping"));
  }

  /** Calls under way are cut off. */
  cut(): void {
    this.#cutting.abort(new Error("stopping"));
  }
}

function nothing(): void {}
