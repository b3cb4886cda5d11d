import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import type { Redis } from "ioredis";
import { HaltError } from "../errors.js";
import type { InputRow } from "../input/row.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { Log } from "../log.js";
import { payloadCharacters, produce } from "../producer/producer.js";
import { defaultWindow, Window } from "../producer/window.js";
import type { Provider, ProviderError } from "../provider/provider.js";
import { queueJobId, rowIndexOfJobId } from "../queue/names.js";
import { PAYLOAD_VERSION, type QueuePayload } from "../queue/payload.js";
import { openQueueServer } from "../queue/queue-server.js";
import type { WorkerReport } from "../queue/registry.js";
import type { RunQueue } from "../queue/run-queue.js";
import type { Result, RowError } from "../types.js";
import type { UsageTotals } from "../usage/index.js";
import { BUDGET_SPENT } from "../worker/funds.js";
import { placesFor, startRunWorker, type RunWorker } from "../worker/run-worker.js";
import type { Pacer, PaceStatus } from "../worker/pacer.js";
import { JournalIndex } from "../writer/journal-index.js";
import { loadJournal } from "../writer/journal-load.js";
import { Writer } from "../writer/writer.js";
import type { Budget } from "./budget.js";
import { enqueueAgain } from "./enqueue-again.js";
import { fundPending } from "./fund-pending.js";
import type { RunLoad } from "./held-back.js";
import { pump, waitForRemoteRows } from "./pump.js";
import { COORDINATOR_WORKER_PREFIX, recover, settleFinished } from "./recover.js";
import type { Reuse } from "./reuse.js";
import { rejectedResult } from "./rejected-result.js";
import { coordinateOnRedis, type RedisCoordination } from "./redis-coordination.js";
import type { RowSource } from "./row-source.js";
import type { RunDirectory } from "./run-directory.js";
import { guardAgainstStall, withOutages } from "./stall-guard.js";
import { Stop, type StopReason } from "./stop.js";

/** How long calls in flight may take when a run stops early. */
const GRACE_MS = 30_000;
/** How long a Redis may take to be told that a run has ended. */
const TELL_MS = 10_000;
/** And how long once it has not answered. */
const GAVE_UP_MS = 500;

export interface ExecutionOptions {
  readonly runId: string;
  readonly job: ResolvedJob;
  /** Under which workers look the model server up. */
  readonly providerName: string;
  readonly directory: RunDirectory;
  readonly source: RowSource;
  /** Rows of this run: those with a lower index. */
  readonly rows: number;
  readonly build: (row: InputRow) => QueuePayload | RowError | Promise<QueuePayload | RowError>;
  readonly totals: UsageTotals;
  /** null: the run may cost what it costs. */
  readonly budget: Budget | null;
  /** Answers of earlier runs; null: every row is called. */
  readonly reuse: Reuse | null;
  readonly queue: {
    readonly url: string | null;
    readonly embeddedRoot: string;
    readonly embeddedDirectory: string | null;
  };
  /** null: this process only coordinates. */
  readonly local: { readonly provider: Provider; readonly concurrency: number } | null;
  /** The pace of this run's calls, shared with everybody on that Redis; null: no Redis. */
  readonly openPacer: (redis: Redis | null) => Pacer;
  /** Called once the queue is there, with the directory it uses when it is embedded. */
  readonly onQueue: (kind: "redis" | "embedded", url: string, directory: string | null) => Promise<void>;
  readonly onSettled: (result: Result) => void;
  readonly onAttemptFailed: (error: ProviderError) => void;
  /** Lets a watcher see what is going on; called before the first row is enqueued. */
  readonly onStart: (view: ExecutionView) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** What can be seen of a run under way. */
export interface ExecutionView {
  readonly index: JournalIndex;
  readonly inFlight: number;
  readonly stopping: boolean;
  /** What keeps the run from being faster. */
  readonly load: Omit<RunLoad, "waitsForBudget">;
}

export interface ExecutionOutcome {
  readonly reason: StopReason;
  readonly index: JournalIndex;
}

/**
 * Runs the stages of one run from queue to journal until every row is settled, the signal aborts or the
 * run halts; then stops them in the order in which nothing is lost: first no new rows, then the calls in
 * flight, then their results on disk, then the queue.
 */
export async function execute(options: ExecutionOptions): Promise<ExecutionOutcome> {
  const { runId, job, log, budget } = options;
  const stop = new Stop();
  const journalPath = options.directory.file("journal.jsonl");
  const count = (result: Result, isExtra: boolean): void => {
    if (isExtra) options.totals.addExtra(result);
    else options.totals.add(result);
    budget?.count(result, isExtra);
  };
  const loaded = existsSync(journalPath)
    ? await loadJournal(journalPath, options.rows, count)
    : { index: new JournalIndex(), size: 0, tornBytes: 0, duplicates: 0 };
  if (loaded.tornBytes > 0)
    log.warn({ runId, bytes: loaded.tornBytes }, "The journal ended in a torn line; it is cut off");

  const server = await openQueueServer({ ...options.queue, warn: (message) => log.warn({}, message) });
  let queue: RunQueue | undefined;
  let writer: Writer | undefined;
  let coordination: RedisCoordination | null = null;
  const pacer = options.openPacer(server.kind === "redis" ? server.redis : null);
  let guard: { close(): void } | undefined;
  try {
    await options.onQueue(server.kind, server.displayUrl, server.directory);
    const runQueue = server.openRunQueue(runId);
    queue = runQueue;
    const window = new Window(defaultWindow(job.concurrency));
    /** Rows on the queue, with the length of their payloads. */
    const outstanding = new Map<number, number>();
    let isProduced = false;
    const finishIfDone = (): void => {
      if (isProduced && loaded.index.settled >= options.rows) stop.because({ kind: "finished" });
    };
    const jobIds = (rows: readonly number[]): string[] => rows.map((row) => queueJobId(runId, row));
    const openWriter = await Writer.open({
      journalPath,
      journalSize: loaded.size,
      index: loaded.index,
      forget: (rows) => runQueue.forget(jobIds(rows)),
      drop: (rows) => runQueue.drop(jobIds(rows)),
      onSettled: (result, isExtra) => {
        count(result, isExtra);
        if (!isExtra) options.onSettled(result);
        const characters = outstanding.get(result.rowIndex);
        if (characters !== undefined) window.release(1, characters);
        outstanding.delete(result.rowIndex);
        budget?.release(result.rowIndex);
        finishIfDone();
      },
      onFailure: (error) => {
        if (error instanceof HaltError) stop.because({ kind: "halted", error });
        else log.warn({ runId, error: error.message }, "The queue could not forget settled rows");
      },
    });
    writer = openWriter;

    await recover(runQueue, openWriter, true);
    if (budget !== null) {
      if (server.kind === "redis") await runQueue.queue.pause(); // until the workers are let at it, below
      await fundPending(runQueue, budget, (rowIndex) => loaded.index.isSettled(rowIndex));
    }
    const haltOf = (error: HaltError): HaltError =>
      error.code === BUDGET_SPENT && budget !== null ? budget.halt() : error;
    const reader = (): AsyncIterable<readonly InputRow[]> =>
      options.source({ afterRow: loaded.index.settledUpTo(options.rows), signal: producing.signal });
    const producing = new AbortController();
    const enqueue = (payloads: readonly QueuePayload[]): Promise<void> =>
      runQueue.enqueue(payloads, job.attempts);

    if (server.kind === "redis") {
      coordination = await coordinateOnRedis({
        server,
        queue: server.openRunQueue(runId),
        ticket: {
          v: PAYLOAD_VERSION,
          runId,
          provider: options.providerName,
          region: options.providerName === job.provider ? job.region : null,
          protocol: job.protocol,
          attempts: job.attempts,
          timeoutMs: job.timeoutMs,
          concurrency: job.concurrency,
          limits: {
            requestsPerMinute: job.limits.requestsPerMinute,
            tokensPerMinute: job.limits.tokensPerMinute,
          },
        },
        log,
        callsModel: options.local !== null,
        isSettled: (rowIndex) => loaded.index.isSettled(rowIndex) || openWriter.holds(rowIndex),
        onHalt: (error) => stop.because({ kind: "halted", error: haltOf(error) }),
        onServerChanged: async () => {
          await recover(runQueue, openWriter, false);
          await enqueueAgain({
            queue: runQueue,
            rows: [...outstanding.keys()].filter((row) => !loaded.index.isSettled(row)),
            readFrom: (rowIndex) => options.source({ afterRow: rowIndex - 1 }),
            build: async (row) => {
              const made = await options.build(row);
              if (budget === null || "kind" in made) return made;
              const paid = budget.reserveAgain(made);
              if (paid === null) stop.because({ kind: "halted", error: budget.halt() });
              return paid ?? { kind: "input", code: BUDGET_SPENT, message: "not paid for", httpStatus: null };
            },
            attempts: job.attempts,
          });
        },
      });
    }
    const live = coordination;
    const haltBecause = async (cause: ProviderError): Promise<void> => {
      const error = haltOf(new HaltError(cause.message, { code: cause.code, hint: cause.hint, cause }));
      stop.because({ kind: "halted", error });
      worker?.pause();
      await live?.halt(error);
    };
    const worker: RunWorker | null =
      options.local === null
        ? null
        : startRunWorker(runQueue, {
            id: `${COORDINATOR_WORKER_PREFIX}${randomUUID()}`,
            concurrency: options.local.concurrency,
            isAlone: true,
            provider: options.local.provider,
            pacer,
            attempts: job.attempts,
            timeoutMs: job.timeoutMs,
            mayStart: async (jobId) => {
              // A queue that lost its last second may offer a settled row once more.
              if (!loaded.index.isSettled(rowIndexOfJobId(jobId))) return true;
              await runQueue.drop([jobId]);
              return false;
            },
            settle: (result) => openWriter.settleNow(result),
            onStray: async (jobId, result) => {
              if (result === null) await runQueue.drop([jobId]);
              else openWriter.settleStray(result);
            },
            strayIsLocal: true,
            onRunError: haltBecause,
            ...(budget === null
              ? {}
              : { fundMore: (payload, starts) => budget.reserveMore(payload, starts) }),
            onAttemptFailed: options.onAttemptFailed,
            onError: (error) => log.debug({ runId, error: error.message }, "Queue worker"),
          });
    const status = (): PaceStatus =>
      worker === null ? withOutages(pacer.status(), live?.workers() ?? []) : pacer.status();
    options.onStart({
      index: loaded.index,
      get inFlight() {
        return worker?.inFlight ?? 0;
      },
      get stopping() {
        return stop.decided !== null;
      },
      get load() {
        return {
          holder: status().holder,
          callsModel: worker !== null,
          remote: live === null ? null : servingAndRefusing(live.workers()),
          inFlight: worker?.inFlight ?? 0,
          concurrency: job.concurrency,
          onQueue: outstanding.size,
          isProduced,
        };
      },
    });
    if (worker === null) pacer.watch(job.model);
    guard = guardAgainstStall({
      maxThrottledMs: job.limits.maxThrottledMs,
      status,
      settled: () => loaded.index.settled,
      halt: (error) => stop.because({ kind: "halted", error }),
    });
    if (options.signal.aborted) stop.because({ kind: "interrupted" });
    options.signal.addEventListener("abort", () => stop.because({ kind: "interrupted" }), { once: true });

    const produced = produce({
      batches: reader(),
      build: options.build,
      isSettled: (rowIndex) => loaded.index.isSettled(rowIndex) || openWriter.holds(rowIndex),
      endRow: options.rows,
      enqueue: async (payloads) => {
        for (const payload of payloads) outstanding.set(payload.rowIndex, payloadCharacters(payload));
        await enqueue(payloads);
      },
      reject: (row, error) => openWriter.settle(rejectedResult(row, error, job)),
      answerAtOnce: async (payload) => {
        const result = (await options.reuse?.find(payload)) ?? null;
        if (result !== null) openWriter.settle(result);
        return result !== null;
      },
      ...(budget === null ? {} : { funds: budget }),
      window,
      batchRows: runQueue.batchRows,
      places: placesFor(job.concurrency),
      signal: producing.signal,
      onEnqueueError: (error) =>
        log.warn({ runId, error: error.message }, "The queue does not take rows; trying again"),
    }).then(
      () => {
        if (budget?.isSpent === true) return stop.because({ kind: "halted", error: budget.halt() });
        isProduced = true;
        finishIfDone();
      },
      (error: unknown) => {
        if (!producing.signal.aborted) stop.because({ kind: "failed", error });
      },
    );
    const pumping = pump(runQueue, openWriter, stop, server.kind, log);
    const reason = await stop.reason;

    guard.close();
    producing.abort();
    window.close();
    worker?.pause();
    // A Redis that does not answer must not keep a run from ending: what is not told to it now, a resume tells.
    let patienceMs = server.kind === "redis" ? TELL_MS : null;
    const orGiveUp = async (work: Promise<unknown> | undefined): Promise<void> => {
      try {
        if (await endsWithin(work ?? Promise.resolve(), patienceMs)) return;
        if (patienceMs === TELL_MS) log.warn({ runId }, "Redis does not answer; going on without it");
        patienceMs = GAVE_UP_MS;
      } catch (error) {
        log.warn({ runId, error: String(error) }, "The queue could not be told all; a resume will do it");
      }
    };
    if (reason.kind !== "finished") await orGiveUp(live?.pauseEverywhere());
    await worker?.stop(GRACE_MS);
    if (live !== null && reason.kind !== "finished" && patienceMs === TELL_MS)
      await endsWithin(waitForRemoteRows(live, runQueue, openWriter, GRACE_MS), GRACE_MS + TELL_MS);
    await orGiveUp(pumping);
    await orGiveUp(settleFinished(runQueue, openWriter));
    await orGiveUp(openWriter.drain());
    await orGiveUp(produced);
    await orGiveUp(live?.end(reason.kind === "finished"));
    if (reason.kind === "finished") await orGiveUp(runQueue.destroy());
    if (reason.kind === "failed") throw reason.error;
    return { reason, index: loaded.index };
  } finally {
    guard?.close();
    pacer.close();
    await writer?.close();
    await endsWithin(queue?.close().catch(() => {}) ?? Promise.resolve(), TELL_MS);
    await server.close();
  }
}

function servingAndRefusing(reports: readonly WorkerReport[]): RunLoad["remote"] {
  const refusals = reports.flatMap((report) => report.refusal ?? []);
  return { serving: reports.length - refusals.length, refusals: [...new Set(refusals)] };
}

/** Whether `work` ended in time; `null` waits for as long as it takes. Its failure is thrown. */
async function endsWithin(work: Promise<unknown>, ms: number | null): Promise<boolean> {
  if (ms === null) return await work.then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true as const), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
