import { HaltError } from "../errors.js";
import type { RequestBuilder } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { SimulatorOptions } from "../simulator/index.js";
import type { Output } from "../types.js";
import { buildUsageReport, UsageTotals, type UsageReport } from "../usage/index.js";
import { beginsSlowly } from "../worker/pace-account.js";
import { createPacer } from "../worker/pace-create.js";
import { RowState, type JournalIndex } from "../writer/journal-index.js";
import { isDiskFull } from "../writer/journal.js";
import { JournalReader } from "../writer/journal-reader.js";
import { partialPath } from "../writer/results.js";
import { EarlyResults } from "./early-results.js";
import { openReuse } from "./reuse.js";
import { openBudget } from "./open-budget.js";
import { execute } from "./execute.js";
import {
  resultFileNames,
  writeResults,
  writeUsage,
  type DerivedFiles,
  type ResultFiles,
} from "./finalise.js";
import { answeredBy, openModelServer, type ModelServer } from "./model-server.js";
import { configuredPrices } from "./prices.js";
import { payloadMaker } from "./row-payload.js";
import type { RunRecord } from "./record.js";
import type { RowSource } from "./row-source.js";
import type { RunDirectory } from "./run-directory.js";
import type { Session } from "./session.js";
import { Watch } from "./watch.js";

const FIRST_ANSWERS = 3;

/** What came of a run. */
export interface RunSummary {
  readonly runId: string;
  /** Absolute. */
  readonly directory: string;
  readonly state: RunRecord["state"];
  readonly rows: { readonly total: number; readonly succeeded: number; readonly failed: number };
  /** Answers that ended at their token limit. */
  readonly truncated: number;
  readonly usage: UsageReport;
  /** null: not every row is settled, so no result files were made; `export` makes them at any time. */
  readonly files: ResultFiles | null;
  readonly simulated: boolean;
  readonly seconds: number;
  /** Why the run halted; null when it did not. */
  readonly halt: HaltError | null;
  /** Of the first rows that succeeded, to look at. */
  readonly firstAnswers: readonly { readonly customId: string; readonly text: string }[];
  readonly warnings: readonly string[];
}

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
  /** false: rows are to be called although their answers may be known. @default true */
  readonly mayReuse?: boolean;
}

/** Runs what is not settled of a run, derives its files and leaves run.json true. */
export async function carryOut(options: CarryOutOptions): Promise<RunSummary> {
  const { session, directory } = options;
  const startedAt = performance.now();
  let record: RunRecord = { ...options.record, state: "running", finishedAt: null, halt: null };
  const models = await openModelServer(record.job, session.config, {
    simulate: options.simulate,
    callsModel: options.worker,
    log: session.log,
  });
  const job = withEndpoint(record.job, models);
  const totals = openTotals(session, job, models);
  const reuse =
    options.mayReuse === false ? null : await openReuse(session.runsRoot, record.runId, job, session.log);
  const budget = openBudget(job, record.runId, session, models);
  const provider = options.worker ? models.connect(job.concurrency) : null;
  const watch = new Watch({
    runId: record.runId,
    total: record.rows,
    totals,
    report: session.onProgress,
    waitsForBudget: () => budget?.isWaiting === true,
  });
  const early = earlyResults(record, options.source, directory);
  try {
    const { reason, index } = await execute({
      runId: record.runId,
      job,
      providerName: models.providerName,
      directory,
      source: options.source,
      rows: record.rows,
      build: payloadMaker(options.builder, answeredBy(models)),
      totals,
      budget,
      reuse,
      queue: {
        url: session.queueUrl,
        embeddedRoot: session.embeddedRoot,
        embeddedDirectory: record.queue.directory,
      },
      local: provider === null ? null : { provider, concurrency: job.concurrency },
      openPacer: (redis) =>
        createPacer({
          redis,
          account: models.account ?? record.runId,
          limits: job.limits,
          concurrency: job.concurrency,
          beginsSlowly: beginsSlowly(models.endpoint),
          log: session.log,
        }),
      onQueue: async (kind, url, queueDirectory) => {
        record = { ...record, queue: { kind, url, directory: queueDirectory } };
        await directory.write(record);
      },
      onSettled: (result) => {
        watch.settled(result);
        early.settled();
      },
      onAttemptFailed: (error) => watch.attemptFailed(error),
      onStart: (view) => {
        watch.start(view);
        early.begin(view.index);
      },
      signal: session.signal,
      log: session.log,
    });
    watch.phase("writing");
    const finishedAt = new Date().toISOString();
    const isFinished = reason.kind === "finished";
    let halt = reason.kind === "halted" ? reason.error : null;
    let derived: DerivedFiles | null = null;
    const usage = buildUsageReport(totals, {
      runId: record.runId,
      job: job.name,
      tags: job.tags,
      startedAt: record.startedAt,
      finishedAt: isFinished ? finishedAt : null,
    });
    try {
      if (isFinished) derived = await early.finish(index);
      await writeUsage(directory.file("usage.json"), usage);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      halt ??= diskFull(error);
    }
    record = {
      ...record,
      state: halt !== null || reason.kind === "failed" ? "halted" : reason.kind,
      counts: countsOf(index, derived?.truncated ?? record.counts.truncated),
      finishedAt,
      halt: halt === null ? null : { code: halt.code, message: halt.message },
    };
    await directory.write(record).catch((error: unknown) => {
      if (!isDiskFull(error)) throw error; // the old run.json stands, by which the run can be resumed as well
      halt ??= diskFull(error);
    });
    watch.phase("done");
    return {
      runId: record.runId,
      directory: directory.path,
      state: record.state,
      rows: { total: record.rows, succeeded: index.succeeded, failed: index.failed },
      truncated: record.counts.truncated,
      usage,
      files: derived === null ? null : { ...derived.files, usage: directory.file("usage.json") },
      simulated: record.simulated,
      seconds: (performance.now() - startedAt) / 1000,
      halt,
      firstAnswers: await firstAnswers(directory.file("journal.jsonl"), index, record.rows),
      warnings: options.warnings,
    };
  } finally {
    watch.stop();
    await early.giveUp();
    await reuse?.close();
    await provider?.close();
    await models.close();
  }
}

function earlyResults(
  record: RunRecord,
  source: RowSource,
  { path, file }: RunDirectory,
): EarlyResults<DerivedFiles> {
  return new EarlyResults({
    folder: path,
    partialFiles: resultFileNames(record.job).map((name) => partialPath(file(name))),
    write: (index, gate) => writeResults(record, index, source, file, gate),
  });
}

function diskFull(cause: unknown): HaltError {
  return new HaltError("The disk of the run directory is full: results and usage could not be written.", {
    code: "disk_full",
    hint: "Make room, then resume the run: nothing is called again.",
    cause,
  });
}

async function firstAnswers(
  journalPath: string,
  index: JournalIndex,
  rows: number,
): Promise<RunSummary["firstAnswers"]> {
  const reader = await JournalReader.open(journalPath, index);
  const answers: { customId: string; text: string }[] = [];
  try {
    const lookedAt = Math.min(rows, 1_000); // enough to find some, also in a run where nearly all failed
    for (let row = 0; row < lookedAt && answers.length < FIRST_ANSWERS; row++) {
      if (index.state(row) !== RowState.succeeded) continue;
      const result = await reader.read(row);
      if (result?.status === "succeeded")
        answers.push({ customId: result.customId, text: shownAnswer(result.output) });
    }
  } finally {
    await reader.close();
  }
  return answers;
}

/** Of an answer that is calls of tools, those. */
function shownAnswer({ text, toolCalls }: Output): string {
  return text === "" && toolCalls !== undefined ? JSON.stringify(toolCalls) : text;
}

function countsOf(index: JournalIndex, truncated: number): RunRecord["counts"] {
  return { succeeded: index.succeeded, failed: index.failed, truncated };
}

/** A job that names no timeout takes the one that suits where its calls go. */
function withEndpoint(job: ResolvedJob, { endpoint }: ModelServer): ResolvedJob {
  return job.timeoutIsDefault === true ? { ...job, timeoutMs: endpoint.defaultTimeoutMs } : job;
}

function openTotals(session: Session, job: ResolvedJob, { lane, priceRegion }: ModelServer): UsageTotals {
  return new UsageTotals({
    prices: configuredPrices(session.config),
    provider: job.provider,
    region: priceRegion,
    lane,
  });
}
