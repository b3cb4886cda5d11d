import type { RequestBuilder } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { Provider } from "../provider/index.js";
import type { SimulatorOptions } from "../simulator/index.js";
import { UsageTotals } from "../usage/index.js";
import { beginsSlowly } from "../worker/pace-account.js";
import { createPacer } from "../worker/pace-create.js";
import { partialPath } from "../writer/results.js";
import type { Budget } from "./budget.js";
import { conclude, type RunSummary } from "./conclude.js";
import { execute } from "./coordinator/execute.js";
import type { ExecutionOptions } from "./coordinator/execution.js";
import { Resources } from "./coordinator/resources.js";
import { EarlyResults } from "./early-results.js";
import { resultFileNames, writeResults, type DerivedFiles } from "./finalise.js";
import { answeredBy, openModelServer, type ModelServer } from "./model-server.js";
import { openBudget } from "./open-budget.js";
import { configuredPrices } from "./prices.js";
import type { RunRecord } from "./record.js";
import { openReuse, type Reuse } from "./reuse.js";
import type { RowSource } from "./row-source.js";
import { taskMaker } from "./row-task.js";
import type { RunDirectory } from "./run-directory.js";
import type { Session } from "./session.js";
import { Watch } from "./watch.js";

export type { RunSummary } from "./conclude.js";

export interface CarryOutOptions {
  readonly session: Session;
  readonly directory: RunDirectory;
  readonly record: RunRecord;
  readonly builder: RequestBuilder;
  readonly source: RowSource;
  readonly simulate: SimulatorOptions | null;
  /** false: this process only coordinates. */
  readonly worker: boolean;
  readonly warnings: readonly string[];
  /** Settled rows that are to be called again, although their answers may be known. @default none */
  readonly again?: readonly number[];
}

/** Runs what is not settled of a run, derives its files and leaves run.json true. */
export async function carryOut(options: CarryOutOptions): Promise<RunSummary> {
  const startedAt = performance.now();
  const resources = new Resources();
  try {
    const opened = await open(options, resources);
    const outcome = await execute(executionOf(options, opened));
    opened.watch.phase("writing");
    const summary = await conclude({
      ...opened,
      directory: options.directory,
      outcome,
      warnings: options.warnings,
      seconds: () => (performance.now() - startedAt) / 1000,
    });
    opened.watch.phase("done");
    return summary;
  } finally {
    await resources.release();
  }
}

/** What a run needs while it is carried out. */
interface Opened {
  /** As it is to stand in run.json. */
  record: RunRecord;
  readonly job: ResolvedJob;
  readonly models: ModelServer;
  readonly totals: UsageTotals;
  readonly reuse: Reuse | null;
  readonly budget: Budget | null;
  readonly provider: Provider | null;
  readonly watch: Watch;
  readonly early: EarlyResults<DerivedFiles>;
}

async function open(options: CarryOutOptions, resources: Resources): Promise<Opened> {
  const { session, directory, simulate, worker, source, again } = options;
  const { log, onProgress, config } = session;
  const models = await openModelServer(options.record.job, config, { simulate, callsModel: worker, log });
  resources.onRelease(() => models.close());
  const job = withEndpoint(options.record.job, models);
  const pricing = { provider: job.provider, region: models.priceRegion, lane: models.lane };
  const record: RunRecord = { ...options.record, state: "running", finishedAt: null, halt: null, pricing };
  const totals = new UsageTotals({ ...pricing, prices: configuredPrices(config) });
  const reuse = again === undefined ? await openReuse(session.runsRoot, record.runId, job, log) : null;
  resources.onRelease(() => reuse?.close());
  const budget = openBudget(job, record.runId, session, models);
  const provider = worker ? models.connect(job.concurrency) : null;
  resources.onRelease(() => provider?.close());
  const watch = new Watch({
    runId: record.runId,
    total: record.rows,
    totals,
    report: onProgress,
    waitsForBudget: () => budget?.isWaiting === true,
  });
  const early = earlyResults(record, source, directory);
  resources.onRelease(() => early.giveUp());
  resources.onRelease(() => watch.stop());
  return { record, job, models, totals, reuse, budget, provider, watch, early };
}

function executionOf(options: CarryOutOptions, opened: Opened): ExecutionOptions {
  const { session, directory, source, builder, again = [] } = options;
  const { record, job, models, totals, reuse, budget, provider, watch, early } = opened;
  const { signal, log, queueUrl } = session;
  return {
    runId: record.runId,
    identity: record.identity,
    job,
    providerName: models.providerName,
    directory: directory.path,
    lock: directory.lock,
    source,
    rows: record.rows,
    again,
    build: taskMaker(builder, { answeredBy: answeredBy(models), vendor: models.endpoint.vendor }),
    listener: {
      ended: (call) => totals.ended(call),
      cleared: () => totals.cleared(),
      settled: (event) => {
        totals.settled(event);
        watch.settled(event);
        early.settled();
      },
    },
    budget,
    reuse,
    queueUrl,
    local: provider === null ? null : { provider },
    openPacer: (redis) =>
      createPacer({
        redis,
        account: models.account ?? record.runId,
        limits: job.limits,
        concurrency: job.concurrency,
        beginsSlowly: beginsSlowly(models.endpoint),
        log,
      }),
    onQueue: async (kind, url) => {
      opened.record = { ...opened.record, queue: { kind, url } };
      await directory.write(opened.record);
    },
    onAttemptFailed: (error) => watch.attemptFailed(error),
    onStart: (view) => {
      watch.start(view);
      early.begin(view.index);
    },
    signal,
    log,
  };
}

function earlyResults(
  record: RunRecord,
  source: RowSource,
  { path, file }: RunDirectory,
): EarlyResults<DerivedFiles> {
  return new EarlyResults({
    folder: path,
    partialFiles: resultFileNames(record.job).map((name) => partialPath(file(name))),
    write: (rows, gate) => writeResults({ record, directory: path, rows, source, gate }),
  });
}

/** A job that names no timeout takes the one that suits where its calls go. */
function withEndpoint(job: ResolvedJob, { endpoint }: ModelServer): ResolvedJob {
  return job.timeoutIsDefault === true ? { ...job, timeoutMs: endpoint.defaultTimeoutMs } : job;
}
