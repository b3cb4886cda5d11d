import { randomUUID } from "node:crypto";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.js";
import { copyStandardInput } from "../input/index.js";
import { compileRequests, loadJob, resolveJob, type JobDefinition } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { SimulatorOptions } from "../simulator/index.js";
import { packageVersion } from "../version.js";
import { carryOut, type RunSummary } from "./carry-out.js";
import { openModelServer, type ModelServer } from "./model-server.js";
import { prepareInput } from "./prepare.js";
import { acceptChangedInput, refuseChangedInput } from "./changed-input.js";
import { changedJob } from "./changed-job.js";
import { budgetPrices } from "./open-budget.js";
import type { RunRecord } from "./record.js";
import { createRunDirectory, findRun, lockRunDirectory, type RunDirectory } from "./run-directory.js";
import { rowsInMemory, rowsOfFile } from "./row-source.js";
import { newRunId } from "./run-id.js";
import { checkReuse } from "./reuse.js";
import { selectRows, type RetrySelection } from "./retry.js";
import { openSession, type Session, type SessionOptions } from "./session.js";

export interface RunOptions extends SessionOptions {
  /** Path of a job file, or a definition. */
  readonly job: string | JobDefinition;
  /** Instead of the job's `input.path`; "-" is standard input. */
  readonly input?: string | undefined;
  /** Dotted paths into the job file and their values, as `--set` gives them. */
  readonly set?: Readonly<Record<string, unknown>> | undefined;
  readonly runId?: string | undefined;
  readonly concurrency?: number | undefined;
  /** Most money the run may cost, instead of the job's `limits.budget`. */
  readonly budget?: number | undefined;
  /** Instead of the job's `reuse`. */
  readonly reuse?: boolean | string | undefined;
  /** Only the first so many rows. */
  readonly limit?: number | undefined;
  /** Answers come from the simulator in this process: no key, no cost. */
  readonly simulate?: boolean | SimulatorOptions | undefined;
  /** false: only coordinate; workers elsewhere call the model. Redis only. @default true */
  readonly worker?: boolean | undefined;
}

export interface ResumeOptions extends SessionOptions {
  /** Run id or run directory. */
  readonly run: string;
  /** Most money the run may cost over all its starts, from now on. */
  readonly budget?: number | undefined;
  readonly worker?: boolean | undefined;
  readonly simulate?: SimulatorOptions | undefined;
  /** Replaces a coordinator elsewhere at once, instead of waiting a minute for a sign of life. */
  readonly takeOver?: boolean | undefined;
  /** Go on although the input changed: rows whose request is the same keep their results. */
  readonly acceptChangedInput?: boolean | undefined;
}

export interface RetryOptions extends ResumeOptions, RetrySelection {
  /** Dotted paths into the job and their new values. */
  readonly set?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Runs a job over its input, start to end.
 *
 * Rejects with UsageError while nothing has been called; from then on the promise resolves with what came
 * of the run, also when rows failed, when it halted (`halt`) or when `signal` stopped it.
 */
export async function run(options: RunOptions): Promise<RunSummary> {
  const session = await openSession(options);
  refuseWorkerlessEmbedded(session, options.worker);
  const standardInput = await takeStandardInput(session, options);
  try {
    const { job, warnings } = await readJob(session, options, standardInput?.path ?? null);
    const simulate = simulatorOptions(options.simulate);
    const models = await checkModelServer(session, job, simulate, options.worker ?? true);
    const { vendor } = models.endpoint;
    const callPrices = budgetPrices(job, session, models);
    await checkReuse(session.runsRoot, job);
    const limit = options.limit ?? null;
    const prepared = await prepareInput(job, {
      limit,
      vendor,
      signal: session.signal,
      onRequest: ({ request }) => void callPrices?.atMost(request),
    });
    const createdAt = new Date();
    const runId = options.runId ?? newRunId(job.name, createdAt);
    const directory = await createRunDirectory(session.runsRoot, runId);
    try {
      const kept = await standardInput?.keepIn(directory);
      const record: RunRecord = {
        schemaVersion: 1,
        runId,
        identity: randomUUID(),
        state: "running",
        job: kept === undefined ? job : { ...job, input: { ...job.input, path: kept } },
        input: kept === undefined ? prepared.summary : { ...prepared.summary, path: kept },
        rows: prepared.rows,
        counts: { succeeded: 0, failed: 0, truncated: 0 },
        simulated: simulate !== null,
        queue: { kind: session.queueUrl === null ? "embedded" : "redis", url: "" },
        createdAt: createdAt.toISOString(),
        startedAt: createdAt.toISOString(),
        finishedAt: null,
        halt: null,
        versions: { promptmill: packageVersion(), node: process.version },
      };
      return await carryOut({
        session,
        directory,
        record,
        builder: prepared.builder,
        source:
          prepared.keptRows === null
            ? rowsOfFile(record.input, record.job.input)
            : rowsInMemory(prepared.keptRows),
        simulate,
        worker: options.worker ?? true,
        warnings: [...warnings, ...prepared.warnings],
      });
    } finally {
      directory.release();
    }
  } finally {
    await standardInput?.discard();
  }
}

/** Goes on where a run stopped: settled rows are kept, all others are called. Safe at any time. */
export async function resume(options: ResumeOptions): Promise<RunSummary> {
  const session = await openSession(options);
  const directory = await lockRun(session, options);
  try {
    const record = withBudget(await directory.read(), options.budget);
    if (options.acceptChangedInput !== true) {
      await refuseChangedInput(record);
      return await goOn({ session, directory, record }, options);
    }
    refuseMissingQueue(session, record);
    const simulate = record.simulated ? (options.simulate ?? {}) : null;
    const models = await checkModelServer(session, record.job, simulate, options.worker ?? true);
    const accepted = await acceptChangedInput(session, directory, record, models);
    const summary = await goOn({ session, directory, record: accepted.record }, options);
    const warnings = accepted.message === null ? [] : [accepted.message];
    return { ...summary, warnings: [...warnings, ...summary.warnings] };
  } finally {
    directory.release();
  }
}

/**
 * Calls rows of a run again that were settled: failed ones, or those that `selection` means. Rows that
 * succeeded are left alone unless asked for by their finish reason. The journal keeps every result, and
 * the later one stands.
 */
export async function retry(options: RetryOptions): Promise<RunSummary> {
  const session = await openSession(options);
  const directory = await lockRun(session, options);
  try {
    const before = await directory.read();
    refuseMissingQueue(session, before);
    refuseWorkerlessEmbedded(session, options.worker);
    await refuseChangedInput(before);
    const { job, warnings } = changedJob(session, before.job, {
      ...options.set,
      ...(options.budget === undefined ? {} : { "limits.budget": options.budget }),
    });
    const simulate = before.simulated ? (options.simulate ?? {}) : null;
    const models = await checkModelServer(session, job, simulate, options.worker ?? true);
    const { vendor } = models.endpoint;
    const callPrices = budgetPrices(job, session, models);
    await prepareInput(job, {
      limit: before.rows,
      vendor,
      signal: session.signal,
      onRequest: ({ request }) => void callPrices?.atMost(request),
    });
    const again = await selectRows(directory.path, before, options);
    const summary = await goOn({ session, directory, record: { ...before, job } }, options, again);
    return { ...summary, warnings: [...warnings, ...summary.warnings] };
  } finally {
    directory.release();
  }
}

async function lockRun(session: Session, options: ResumeOptions): Promise<RunDirectory> {
  return await lockRunDirectory(findRun(session.runsRoot, options.run), {
    takeOver: options.takeOver === true,
    signal: session.signal,
    onWaiting: ({ pid, host }) =>
      session.log.warn(
        { pid, host },
        "The run was worked on elsewhere; waiting a minute for a sign of life (--take-over does not wait)",
      ),
  });
}

function withBudget(record: RunRecord, budget: number | undefined): RunRecord {
  if (budget === undefined) return record;
  const { job } = record;
  return { ...record, job: { ...job, limits: { ...job.limits, budget } } };
}

interface StoppedRun {
  readonly session: Session;
  readonly directory: RunDirectory;
  readonly record: RunRecord;
}

async function goOn(
  { session, directory, record }: StoppedRun,
  options: ResumeOptions,
  again?: readonly number[],
): Promise<RunSummary> {
  refuseMissingQueue(session, record);
  refuseWorkerlessEmbedded(session, options.worker);
  return await carryOut({
    session,
    directory,
    record: {
      ...record,
      startedAt: new Date().toISOString(),
      versions: { promptmill: packageVersion(), node: process.version },
    },
    builder: compileRequests(record.job),
    source: rowsOfFile(record.input, record.job.input),
    simulate: record.simulated ? (options.simulate ?? {}) : null,
    worker: options.worker ?? true,
    ...(again === undefined ? {} : { again }),
    warnings: [],
  });
}

function refuseMissingQueue(session: Session, record: RunRecord): void {
  if (record.queue.kind !== "redis" || session.queueUrl !== null) return;
  throw new UsageError(`Run ${record.runId} was started on a Redis queue (${record.queue.url}).`, {
    code: "queue_missing",
    hint: `Name it, with its password if it has one: promptmill resume ${record.runId} --queue redis://…`,
  });
}

async function readJob(
  session: Session,
  options: RunOptions,
  standardInput: string | null,
): Promise<{ job: ResolvedJob; warnings: string[] }> {
  const set = { ...options.set };
  if (options.concurrency !== undefined) set["concurrency"] = options.concurrency;
  if (options.budget !== undefined) set["limits.budget"] = options.budget;
  if (options.reuse !== undefined) set["reuse"] = options.reuse;
  const input =
    standardInput ?? (options.input === undefined ? undefined : resolve(session.cwd, options.input));
  if (input !== undefined) set["input.path"] = input;
  const load = { config: session.config, set };
  return typeof options.job === "string"
    ? await loadJob(resolve(session.cwd, options.job), load)
    : resolveJob(options.job, { ...load, file: null, baseDir: session.cwd });
}

function simulatorOptions(simulate: RunOptions["simulate"]): SimulatorOptions | null {
  if (simulate === undefined || simulate === false) return null;
  return simulate === true ? {} : simulate;
}

/** A missing key or an unknown provider is said before the input is read, and long before a run exists. */
async function checkModelServer(
  session: Session,
  job: ResolvedJob,
  simulate: SimulatorOptions | null,
  callsModel: boolean,
): Promise<ModelServer> {
  const models = await openModelServer(job, session.config, { simulate, callsModel, log: session.log });
  await models.close();
  return models;
}

function refuseWorkerlessEmbedded(session: Session, worker: boolean | undefined): void {
  if (worker !== false || session.queueUrl !== null) return;
  throw new UsageError(
    "--no-worker: the embedded queue lives in this process, so nobody else could work on it.",
    {
      code: "no_worker_embedded",
      hint: "Add --queue redis://host:6379, or leave --no-worker away.",
    },
  );
}

interface StandardInput {
  /** Of the copy, to be read now. */
  readonly path: string;
  /** Moves the copy into the run directory; returns where it is from now on. */
  keepIn(directory: RunDirectory): Promise<string>;
  discard(): Promise<void>;
}

/** Standard input can be read once, but a run reads its input three times and a resume again. */
async function takeStandardInput(session: Session, options: RunOptions): Promise<StandardInput | null> {
  const fromJob =
    typeof options.job === "object" && options.job.input?.path === "-" && options.input === undefined;
  const fromFile =
    typeof options.job === "string" &&
    options.input === undefined &&
    (await jobReadsStandardInput(session, options));
  if (options.input !== "-" && !fromJob && !fromFile) return null;
  const { mkdir } = await import("node:fs/promises");
  await mkdir(session.runsRoot, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(session.runsRoot, ".stdin-"));
  const path = join(folder, "input");
  try {
    await copyStandardInput(path);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    path,
    keepIn: async (directory) => {
      const kept = directory.file("input");
      await rename(path, kept);
      return kept;
    },
    discard: () => rm(dirname(path), { recursive: true, force: true }),
  };
}

async function jobReadsStandardInput(session: Session, options: RunOptions): Promise<boolean> {
  const { job } = await readJob(session, options, null);
  return job.input.path === "-";
}
