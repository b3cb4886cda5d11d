import { isCut, type ProviderError } from "../provider/index.js";
import type { Result } from "../types.js";
import { MoneySum, type UsageTotals } from "../usage/index.js";
import type { ExecutionView } from "./coordinator/execution.js";
import { heldBackBy } from "./held-back.js";
import { RateMeter, type Progress } from "./progress.js";

const INTERVAL_MS = 200;

/** Watches one run and reports its progress a few times a second. */
export class Watch {
  readonly #runId: string;
  readonly #total: number;
  readonly #totals: UsageTotals;
  readonly #report: (progress: Progress) => void;
  readonly #waitsForBudget: () => boolean;
  readonly #rate = new RateMeter();
  #view: ExecutionView | null = null;
  #phase: Progress["phase"] = "running";
  #truncated = 0;
  #retried = 0;
  #throttled = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    runId: string;
    total: number;
    totals: UsageTotals;
    report: (progress: Progress) => void;
    waitsForBudget: () => boolean;
  }) {
    this.#runId = options.runId;
    this.#total = options.total;
    this.#totals = options.totals;
    this.#report = options.report;
    this.#waitsForBudget = options.waitsForBudget;
  }

  start(view: ExecutionView): void {
    this.#view = view;
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
    this.#tick();
  }

  settled(result: Result): void {
    if (result.status === "succeeded" && isCut(result.output.finishReason)) this.#truncated++;
  }

  attemptFailed(error: ProviderError): void {
    if (error.disposition === "throttled") this.#throttled++;
    else this.#retried++;
  }

  phase(phase: Progress["phase"]): void {
    this.#phase = phase;
    this.#tick();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const view = this.#view;
    if (view === null) return;
    const { index } = view;
    const rowsPerSecond = this.#rate.sample(index.settled, performance.now());
    const left = this.#total - index.settled;
    const cost = new MoneySum();
    let input = 0;
    let output = 0;
    for (const model of this.#totals.models()) {
      input += model.tokens.input;
      output += model.tokens.output;
      if (model.price !== null) cost.addExact(model.price.currency, model.cost);
    }
    this.#report({
      runId: this.#runId,
      phase: this.#phase === "running" && view.stopping ? "stopping" : this.#phase,
      rows: { total: this.#total, succeeded: index.succeeded, failed: index.failed },
      truncated: this.#truncated,
      inFlight: view.inFlight,
      retried: this.#retried,
      throttled: this.#throttled,
      tokens: { input, output },
      cost: cost.toJSON(),
      rowsPerSecond,
      secondsLeft: rowsPerSecond > 0 ? Math.ceil(left / rowsPerSecond) : null,
      heldBackBy: view.stopping ? null : heldBackBy({ ...view.load, waitsForBudget: this.#waitsForBudget() }),
    });
  }
}
