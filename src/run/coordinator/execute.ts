import { randomUUID } from "node:crypto";
import { HaltError } from "../../errors.js";
import { Journal } from "../../journal/journal.js";
import { JournalTail } from "../../journal/journal-tail.js";
import { loadJournal } from "../../journal/load-journal.js";
import { parseWorkerLine } from "../../journal/parse-line.js";
import { produce } from "../../producer/producer.js";
import { defaultWindow, Window } from "../../producer/window.js";
import { Coordinator } from "../../protocol/coordinator.js";
import type { CoordinatorState, CoordinatorWorld } from "../../protocol/coordinator-state.js";
import type { JournalEvent, RowTask } from "../../protocol/events.js";
import { RowTable } from "../../protocol/row-table.js";
import { timing } from "../../protocol/timing.js";
import { Driver, type Perform } from "../../worker/driver.js";
import type { Pacer } from "../../worker/pacer.js";
import { lostResult } from "../../worker/row-result.js";
import { BUDGET_SPENT } from "../budget.js";
import { guardAgainstStall, withOutages } from "../stall-guard.js";
import { Stop } from "../stop.js";
import { endsWithin } from "./ending.js";
import { haltOf, type ExecutionOptions, type ExecutionOutcome, type ExecutionView } from "./execution.js";
import { Fleet } from "./fleet.js";
import { LeaseOffers, leaseRows } from "./lease-offers.js";
import { newLocalWorkerId, OwnWorker } from "./local-worker.js";
import { Resources } from "./resources.js";
import { RowsAtOnce } from "./rows-at-once.js";
import { openRunServer, type RunServer } from "./run-server.js";

/** How long calls under way may take when a run stops early. */
const GRACE_MS = 30_000;
/** How long a Redis may take to be told that a run has ended. */
const TELL_MS = 10_000;
const LOOK_MS = 50;

/**
 * Carries out what is not settled of a run, until every row is, the signal aborts or the run halts; then stops in the order in
 * which nothing is lost: no new rows, the calls under way, their results on disk, the queue.
 */
export async function execute(options: ExecutionOptions): Promise<ExecutionOutcome> {
  const resources = new Resources();
  try {
    const execution = await Execution.open(options, resources);
    return await execution.run();
  } finally {
    await resources.release();
  }
}

/** One run in the hands of its coordinator. */
class Execution {
  readonly #options: ExecutionOptions;
  readonly #stop = new Stop();
  readonly #window: Window;
  readonly #driver: Driver;
  readonly #coordinator: Coordinator;
  readonly #offers: LeaseOffers;
  readonly #atOnce: RowsAtOnce;
  readonly #producing = new AbortController();
  readonly #processes: Promise<void>[] = [];
  #server!: RunServer;
  #journal!: Journal;
  #tail!: JournalTail;
  #pacer!: Pacer;
  #fleet: Fleet | null = null;
  #worker: OwnWorker | null = null;
  #isProduced = false;

  private constructor(options: ExecutionOptions) {
    const { job, rows, local, lock, budget } = options;
    this.#options = options;
    this.#window = new Window(defaultWindow(job.concurrency));
    this.#driver = new Driver(this.#perform);
    this.#coordinator = new Coordinator(
      {
        nonce: randomUUID(),
        rows,
        concurrency: job.concurrency,
        attempts: job.attempts,
        timing: timing(job.timeoutMs),
        local: local === null ? null : newLocalWorkerId(),
        isPredecessorDead: lock.isPredecessorDead,
        rowTable: new RowTable(),
        listener: this.#listener(),
      },
      this.#world(),
    );
    this.#offers = new LeaseOffers({
      state: this.#state,
      budget,
      window: this.#window,
      leaseRows: (isAlone) => leaseRows(job.concurrency, isAlone),
      onLost: (task) => this.#giveUp(task),
      onSpent: () => this.#haltForMoney(),
      wake: this.#driver.wake,
    });
    this.#atOnce = new RowsAtOnce((events) => this.#record(events));
  }

  static async open(options: ExecutionOptions, resources: Resources): Promise<Execution> {
    const execution = new Execution(options);
    await execution.#open(resources);
    return execution;
  }

  get #state(): CoordinatorState {
    return this.#coordinator.state;
  }

  async #open(resources: Resources): Promise<void> {
    const { directory, identity, rows, queueUrl, runId, log, local, job, again } = this.#options;
    const { ledger } = this.#state;
    const loaded = await loadJournal({ directory, identity, rows }, (event, offset, length) =>
      ledger.apply(event, offset, length),
    );
    if (loaded.tornBytes > 0)
      log.warn({ runId, bytes: loaded.tornBytes }, "The journal ended in a torn line; it is passed over");
    this.#server = await openRunServer({
      url: queueUrl,
      identity,
      ownLease: (fence, number) => {
        const out = this.#state.leases.get(number);
        return out?.lease.fence === fence ? out.lease : null;
      },
      warn: (message) => log.warn({}, message),
    });
    resources.onRelease(() => this.#server.close());
    // Nothing was written before: a command that is refused has changed nothing.
    this.#journal = await Journal.create(directory, identity);
    resources.onRelease(() => this.#journal.close().catch(() => {}));
    this.#tail = new JournalTail({ directory, rows, own: this.#journal.number, loaded });
    await this.#options.onQueue(this.#server.kind, this.#server.displayUrl);
    if (again.length > 0) this.#record([{ event: "retry", at: new Date().toISOString(), rowIndexes: again }]);
    this.#pacer = this.#options.openPacer(this.#server.redis);
    resources.onRelease(() => this.#pacer.close());
    const { connection } = this.#server;
    if (connection !== null) {
      this.#fleet = new Fleet({
        ...this.#options,
        connection,
        state: this.#state,
        callsModel: local !== null,
      });
      resources.onRelease(() => this.#fleet?.close());
    }
    if (local !== null) {
      this.#worker = new OwnWorker(this.#state.options.local ?? "", {
        state: this.#state,
        queue: this.#server.queue,
        provider: local.provider,
        pacer: this.#pacer,
        attempts: job.attempts,
        timeoutMs: job.timeoutMs,
        onRunError: (error) => this.#halt(haltOf(error)),
        onBug: (error) => this.#stop.because({ kind: "failed", error }),
        onAttemptFailed: this.#options.onAttemptFailed,
        wake: this.#driver.wake,
      });
    } else this.#pacer.watch(job.model);
  }

  async run(): Promise<ExecutionOutcome> {
    const { signal } = this.#options;
    const coordinator = this.#coordinator;
    this.#start(coordinator.keepLock(), coordinator.coordinate(), ...(this.#worker?.processes() ?? []));
    this.#options.onStart(this.#view());
    const guard = guardAgainstStall({
      maxThrottledMs: this.#options.job.limits.maxThrottledMs,
      status: () => this.#paceStatus(),
      settled: () => this.#state.ledger.rows.settled,
      halt: (error) => this.#stop.because({ kind: "halted", error }),
    });
    const onAbort = (): void => this.#stop.because({ kind: "interrupted" });
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const produced = this.#produce();
    const reason = await this.#stop.reason;
    guard.close();
    signal.removeEventListener("abort", onAbort);
    await this.#end(produced, reason.kind === "finished");
    if (reason.kind === "failed") throw reason.error;
    const { ledger } = this.#state;
    let unknownStarts = 0;
    for (const starts of [...ledger.unknown.values(), ...ledger.suspects.values()]) unknownStarts += starts;
    return { reason, index: ledger.rows, openStarts: ledger.openStarts(), unknownStarts };
  }

  /** Runs processes of the protocol; an error that cannot pass ends the run with its cause. */
  #start(...processes: Parameters<Driver["run"]>[0][]): void {
    for (const steps of processes) {
      this.#processes.push(
        this.#driver.run(steps).then(
          () => {
            if (this.#state.stopped === "replaced")
              this.#stop.because({ kind: "halted", error: replaced(this.#options.runId) });
          },
          (error: unknown) => {
            if (error instanceof HaltError) this.#halt(error);
            else this.#stop.because({ kind: "failed", error });
          },
        ),
      );
    }
  }

  readonly #perform: Perform = (effect) => {
    switch (effect.kind) {
      case "write":
        return this.#journal.write(effect.events);
      case "flush":
        return this.#journal.flush();
      case "hub":
        return effect.step(this.#server.hub);
      case "queue":
        return effect.step(this.#server.queue);
      case "merge":
        return this.#tail.newEvents();
      case "lock":
        return this.#options.lock.beat();
    }
  };

  async #produce(): Promise<void> {
    const { source, build, rows, job, reuse } = this.#options;
    const { signal } = this.#producing;
    const state = this.#state;
    try {
      await produce({
        batches: source({ afterRow: state.ledger.rows.settledUpTo(rows), signal }),
        build,
        isSettled: (rowIndex) => state.isSettled(rowIndex),
        endRow: rows,
        reject: (row, error) => this.#atOnce.reject(row, error, job),
        answerAtOnce: async (task) => {
          const result = (await reuse?.find(task)) ?? null;
          if (result !== null) this.#atOnce.settle(result);
          return result !== null;
        },
        offers: this.#offers,
        window: this.#window,
        batchRows: leaseRows(job.concurrency, this.#options.local !== null),
        places: job.concurrency,
        signal,
      });
      this.#atOnce.flush();
      if (this.#options.budget?.isSpent === true) return this.#haltForMoney();
      this.#isProduced = !signal.aborted;
      this.#finishIfDone();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof HaltError) this.#stop.because({ kind: "halted", error });
      else this.#stop.because({ kind: "failed", error });
    }
  }

  async #end(produced: Promise<void>, isFinished: boolean): Promise<void> {
    const { log, runId } = this.#options;
    this.#producing.abort();
    this.#window.close();
    if (!isFinished) this.#worker?.stop();
    const isTold = await this.#windDown(isFinished ? 0 : GRACE_MS);
    this.#worker?.stop();
    await this.#endLocalCalls();
    await produced;
    try {
      await this.#journal.flush();
    } catch (error) {
      if (!(error instanceof HaltError)) throw error; // said by the run's halt
    }
    if (isTold && isFinished) {
      await endsWithin(
        this.#server.destroy().catch(() => {}),
        TELL_MS,
      );
    } else if (!isTold && this.#server.kind === "redis" && this.#journal.failure === null) {
      log.warn({ runId }, "Redis does not answer; what it has not been told a resume will tell");
    }
    this.#state.stopped ??= "ended";
    this.#driver.wake();
    // Without a journal no process of the protocol comes to its end.
    if (this.#journal.failure === null) await endsWithin(Promise.all(this.#processes), TELL_MS);
    this.#driver.close();
  }

  /** No starts elsewhere any more; calls under way there may end. Returns whether the server was told. */
  async #windDown(graceMs: number): Promise<boolean> {
    if (this.#server.kind === "embedded") return true;
    const deadline = performance.now() + graceMs;
    const giveUpAt = performance.now() + TELL_MS;
    await endsWithin(this.#fleet?.withdraw().catch(() => {}) ?? Promise.resolve(), TELL_MS);
    for (;;) {
      let isTold = false;
      try {
        isTold = await endsWithin(this.#driver.run(this.#coordinator.windDown()), TELL_MS);
      } catch (error) {
        if (error instanceof HaltError) return false;
      }
      const now = performance.now();
      if (this.#state.stopped !== null) return false;
      if (isTold && (this.#coordinator.remoteCalls === 0 || now > deadline)) return true;
      if (!isTold && now > giveUpAt) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Calls under way here may end; then they are cut off, and listed. */
  async #endLocalCalls(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    const deadline = performance.now() + GRACE_MS;
    let isCut = false;
    while (worker.inFlight > 0 && this.#journal.failure === null) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (isCut || performance.now() < deadline) continue;
      isCut = true;
      worker.cut();
    }
    worker.cut();
  }

  /** Writes events outside of the protocol's processes. */
  #record(events: readonly JournalEvent[]): void {
    if (events.length === 0) return;
    const places = this.#journal.write(events.map((event) => ({ event })));
    for (const [index, event] of events.entries())
      this.#state.apply(event, places[index]?.offset, places[index]?.length);
  }

  #giveUp(task: RowTask): void {
    const result = lostResult(task, this.#state.losses(task.rowIndex), new Date().toISOString());
    this.#record([{ event: "settled", billing: "free", ...result }]);
  }

  #listener(): ExecutionOptions["listener"] {
    const { listener, budget } = this.#options;
    return {
      started: (start) => {
        listener.started?.(start);
        budget?.started(start);
      },
      voided: (start) => {
        listener.voided?.(start);
        budget?.voided(start);
      },
      ended: (call, start) => {
        listener.ended?.(call, start);
        budget?.ended(call, start);
      },
      settled: (event, start) => {
        listener.settled?.(event, start);
        this.#finishIfDone();
      },
      cleared: () => listener.cleared?.(),
    };
  }

  #world(): CoordinatorWorld {
    const { log, runId, rows } = this.#options;
    return {
      now: () => performance.now(),
      time: () => new Date().toISOString(),
      left: (task, how) => this.#offers.left(task, how),
      mayOffer: () => {
        this.#offers.offerAgain();
        this.#driver.wake();
      },
      parse: (text, worker) => parseWorkerLine(text, worker, rows),
      hasEnded: (beat) => this.#fleet?.hasEnded(beat) === true,
      warn: (message, fields) => log.warn({ runId, ...fields }, message),
      halted: ({ code, message, hint }) => this.#halt(new HaltError(message, { code, hint })),
    };
  }

  #halt(error: HaltError): void {
    this.#stop.because({ kind: "halted", error });
  }

  #haltForMoney(): void {
    const { budget } = this.#options;
    if (budget !== null) this.#halt(budget.halt());
  }

  #finishIfDone(): void {
    if (this.#isProduced && this.#state.isAllSettled) this.#stop.because({ kind: "finished" });
  }

  #paceStatus(): ReturnType<Pacer["status"]> {
    return this.#worker === null
      ? withOutages(this.#pacer.status(), this.#fleet?.workers() ?? [])
      : this.#pacer.status();
  }

  #view(): ExecutionView {
    const state = this.#state;
    const stop = this.#stop;
    const worker = this.#worker;
    const load = (): ExecutionView["load"] => ({
      holder: this.#paceStatus().holder,
      callsModel: worker !== null,
      remote: this.#fleet?.servingAndRefusing() ?? null,
      inFlight: worker?.inFlight ?? 0,
      concurrency: this.#options.job.concurrency,
      onQueue: this.#window.size - this.#window.free,
      isProduced: this.#isProduced,
    });
    return {
      index: state.ledger.rows,
      get inFlight() {
        return worker?.inFlight ?? 0;
      },
      get stopping() {
        return stop.decided !== null;
      },
      get load() {
        return load();
      },
    };
  }
}

function replaced(runId: string): HaltError {
  return new HaltError("Another process has taken this run over.", {
    code: "run_taken_over",
    hint: `It goes on there; promptmill status ${runId} shows how far it is.`,
  });
}

export { BUDGET_SPENT };
