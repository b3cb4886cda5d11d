import { HaltError } from "../../errors.js";
import type { InputRow } from "../../input/row.js";
import type { ResolvedJob } from "../../job/resolved-job.js";
import type { Log } from "../../log.js";
import type { RowTask } from "../../protocol/events.js";
import type { LedgerListener, OpenStart } from "../../protocol/ledger.js";
import type { RowTable } from "../../protocol/row-table.js";
import type { Provider, ProviderError } from "../../provider/provider.js";
import type { RowError } from "../../types.js";
import type { Pacer } from "../../worker/pacer.js";
import type { Redis } from "ioredis";
import type { Budget } from "../budget.js";
import type { RunLoad } from "../held-back.js";
import type { RunLock } from "../lock/run-lock.js";
import type { Reuse } from "../reuse.js";
import type { RowSource } from "../row-source.js";
import type { StopReason } from "../stop.js";

export interface ExecutionOptions {
  readonly runId: string;
  readonly identity: string;
  readonly job: ResolvedJob;
  /** Under which workers look the model server up. */
  readonly providerName: string;
  readonly directory: string;
  readonly lock: RunLock;
  readonly source: RowSource;
  /** Rows of this run: those with a lower index. */
  readonly rows: number;
  /** Rows that are to be called again although they are settled. */
  readonly again: readonly number[];
  readonly build: (row: InputRow) => RowTask | RowError | Promise<RowTask | RowError>;
  /** Hears all of the journal: what it has, then what is added. */
  readonly listener: LedgerListener;
  /** null: the run may cost what it costs. */
  readonly budget: Budget | null;
  /** Answers of earlier runs; null: every row is called. */
  readonly reuse: Reuse | null;
  /** null: embedded. */
  readonly queueUrl: string | null;
  /** null: this process only coordinates. */
  readonly local: { readonly provider: Provider } | null;
  /** The rate of this run's calls, shared with everybody on that Redis; null: no Redis. */
  readonly openPacer: (redis: Redis | null) => Pacer;
  /** Called once the queue is there. */
  readonly onQueue: (kind: "redis" | "embedded", url: string) => Promise<void>;
  readonly onAttemptFailed: (error: ProviderError) => void;
  /** Lets a watcher see what is going on; called before the first row is offered. */
  readonly onStart: (view: ExecutionView) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** What can be seen of a run under way. */
export interface ExecutionView {
  readonly index: RowTable;
  readonly inFlight: number;
  readonly stopping: boolean;
  /** What keeps the run from being faster. */
  readonly load: Omit<RunLoad, "waitsForBudget">;
}

export interface ExecutionOutcome {
  readonly reason: StopReason;
  readonly index: RowTable;
  /** Of the coordinator that ended: calls without an end, and starts of which only the number is known. */
  readonly openStarts: Iterable<OpenStart>;
  readonly unknownStarts: number;
}

export function haltOf(error: ProviderError): HaltError {
  return new HaltError(error.message, { code: error.code, hint: error.hint, cause: error });
}
