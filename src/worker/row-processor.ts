import { DelayedError, UnrecoverableError, WaitingError, type Job as QueueJob } from "bullmq";
import pLimit from "p-limit";
import { ProviderError, type Provider } from "../provider/provider.js";
import { parsePayload, type QueuePayload } from "../queue/payload.js";
import type { RowProcessor } from "../queue/run-queue.js";
import type { Answer, Result, RowError, Usage } from "../types.js";
import type { Pacer, Permit } from "./pacer.js";
import { retryDelayMs } from "./retry.js";

export interface RowProcessorOptions {
  readonly provider: Provider;
  readonly pacer: Pacer;
  /** Calls of the model per row, the first included. */
  readonly attempts: number;
  readonly timeoutMs: number;
  /** At most so many calls at once to this endpoint, over all runs that share the limiter. */
  readonly limit: ReturnType<typeof pLimit>;
  /** Aborts calls in flight; their rows go back to the queue. */
  readonly signal: AbortSignal;
  /** Resolves when calls may start; false when this row must be left alone after all. */
  readonly mayStart?: (job: QueueJob, token: string) => Promise<boolean>;
  /** A failure that every row would share. No further row must be started. */
  readonly onRunError: (error: ProviderError) => Promise<void>;
  /** For progress: each call that ended without settling its row. */
  readonly onAttemptFailed?: (error: ProviderError) => void;
}

/** A failed attempt that BullMQ is to repeat after `delayMs`. */
export class RetryableAttempt extends Error {
  readonly delayMs: number;

  constructor(cause: ProviderError, delayMs: number) {
    super(cause.code, { cause });
    this.name = "RetryableAttempt";
    this.delayMs = delayMs;
  }
}

/** BullMQ's back-off: the wait was decided where the error was seen. */
export function backoffOf(_attemptsMade: number, error: Error): number {
  return error instanceof RetryableAttempt ? error.delayMs : 1_000;
}

/**
 * Makes one attempt for one row and says what becomes of it.
 *
 * An answered or finally failed row returns its result. A row to be tried again throws: RetryableAttempt
 * (counts as an attempt), DelayedError (throttled, does not count), WaitingError (handed back untouched).
 * What an attempt cost is written to the job before it is given back, so that it is known to whoever
 * settles the row later.
 */
export function createRowProcessor(options: RowProcessorOptions): RowProcessor {
  return async (job, token) => {
    const payload = parsePayload(job.data);
    if (payload === null) throw new UnrecoverableError("not a payload of this version");
    if (options.mayStart !== undefined && !(await options.mayStart(job, token))) throw new WaitingError();

    let permit: Permit;
    try {
      permit = await options.pacer.acquire(payload.request, options.signal);
    } catch (error) {
      return await handBackUncalled(job, token, payload, error);
    }
    const startedAt = performance.now();
    try {
      const answer = await options.limit(() =>
        options.provider.call(payload.request, { signal: options.signal, timeoutMs: options.timeoutMs }),
      );
      permit.succeeded(answer.usage);
      return succeeded(job, payload, answer, startedAt);
    } catch (error) {
      if (!(error instanceof ProviderError)) {
        permit.failed(null);
        if (!options.signal.aborted) throw error; // a bug of ours: the row is retried and the error reported
        await job.moveToWait(token);
        throw new WaitingError();
      }
      return await afterFailure(error, permit, job, token, payload, startedAt, options);
    }
  };
}

async function afterFailure(
  error: ProviderError,
  permit: Permit,
  job: QueueJob,
  token: string,
  payload: QueuePayload,
  startedAt: number,
  options: RowProcessorOptions,
): Promise<Result> {
  if (error.disposition === "throttled") {
    const delayMs = permit.throttled(error);
    options.onAttemptFailed?.(error);
    await job.updateData(withEnded(payload, error));
    await job.moveToDelayed(Date.now() + delayMs, token);
    throw new DelayedError();
  }
  permit.failed(error);
  if (error.disposition === "run") {
    await options.onRunError(error);
    await job.updateData(withEnded(payload, error));
    await job.moveToWait(token);
    throw new WaitingError();
  }
  const isLast = job.attemptsMade + 1 >= options.attempts;
  if (error.disposition === "row" || isLast) return failed(job, payload, error, startedAt);
  options.onAttemptFailed?.(error);
  await job.updateData(withEnded(payload, error));
  throw new RetryableAttempt(error, retryDelayMs(error, job.attemptsMade + 1));
}

/** The row waited for its turn and was called back before it came: nothing was sent. */
async function handBackUncalled(
  job: QueueJob,
  token: string,
  payload: QueuePayload,
  error: unknown,
): Promise<never> {
  if (error instanceof DelayedError || error instanceof WaitingError) throw error;
  await job.updateData({ ...payload, ended: (payload.ended ?? 0) + 1 });
  await job.moveToWait(token);
  throw new WaitingError();
}

function withEnded(payload: QueuePayload, error: ProviderError): QueuePayload {
  const ended = (payload.ended ?? 0) + 1;
  if (error.usage === null) return { ...payload, ended };
  return { ...payload, ended, priorUsages: [...(payload.priorUsages ?? []), error.usage] };
}

function succeeded(job: QueueJob, payload: QueuePayload, answer: Answer, startedAt: number): Result {
  return {
    ...resultBase(job, payload, answer.usage, answer.requestId, startedAt),
    status: "succeeded",
    output: {
      text: answer.text,
      reasoning: answer.reasoning,
      finishReason: answer.finishReason,
      ...(answer.toolCalls === undefined ? {} : { toolCalls: answer.toolCalls }),
    },
  };
}

function failed(job: QueueJob, payload: QueuePayload, error: ProviderError, startedAt: number): Result {
  const rowError: RowError = {
    kind: error.kind,
    code: error.code,
    message: error.message,
    httpStatus: error.httpStatus,
  };
  return {
    ...resultBase(job, payload, error.usage, error.requestId, startedAt),
    status: "failed",
    error: rowError,
  };
}

function resultBase(
  job: QueueJob,
  payload: QueuePayload,
  usage: Usage | null,
  requestId: string | null,
  startedAt: number,
) {
  return {
    rowIndex: payload.rowIndex,
    customId: payload.customId,
    model: payload.request.model,
    preset: payload.preset,
    attempts: job.attemptsMade + 1,
    attemptsStarted: job.attemptsStarted,
    possiblyBilled: Math.max(0, job.attemptsStarted - (payload.ended ?? 0) - 1),
    requestId,
    usage,
    ...(payload.priorUsages === undefined ? {} : { priorUsages: payload.priorUsages }),
    latencyMs: Math.round(performance.now() - startedAt),
    finishedAt: new Date().toISOString(),
  };
}

/**
 * The result of a row that the queue gave up without one: its workers died too often, or something failed
 * in our own code at every attempt. Nobody knows whether its starts were billed.
 */
export function gaveUpResult(
  rowIndex: number,
  job: { payload: QueuePayload | null; attemptsStarted: number; failedReason: string | null },
  finishedAt: string,
): Result {
  const { payload, attemptsStarted, failedReason } = job;
  const isLost = failedReason?.includes("stalled") ?? false;
  return {
    rowIndex,
    customId: payload?.customId ?? String(rowIndex),
    model: payload?.request.model ?? "unknown",
    preset: payload?.preset ?? null,
    attempts: 0,
    attemptsStarted,
    possiblyBilled: Math.max(0, attemptsStarted - (payload?.ended ?? 0)),
    requestId: null,
    usage: null,
    ...(payload?.priorUsages === undefined ? {} : { priorUsages: payload.priorUsages }),
    latencyMs: 0,
    finishedAt,
    status: "failed",
    error: {
      kind: "worker_lost",
      code: isLost ? "worker_lost" : "internal_error",
      message: isLost
        ? `Every worker that took this row died or lost it (${attemptsStarted} starts).`
        : `The queue gave the row up: ${failedReason ?? "no reason given"}.`,
      httpStatus: null,
    },
  };
}
