import { DelayedError, UnrecoverableError, WaitingError, type Job as QueueJob } from "bullmq";
import type pLimit from "p-limit";
import { ProviderError, type Provider } from "../provider/provider.js";
import { parsePayload, type QueuePayload } from "../queue/payload.js";
import type { RowProcessor } from "../queue/run-queue.js";
import type { Answer, ModelRequest, Result } from "../types.js";
import { nextTranslationPart, withPart, type TranslationPart } from "./long-translation.js";
import { mayHaveBeenBilled } from "./billing.js";
import type { CallSlots } from "./call-slots.js";
import { budgetSpent, fundsFor, startsUsedUp } from "./funds.js";
import type { Pacer, Permit } from "./pacer.js";
import { retryDelayMs } from "./retry.js";
import { failed, succeeded } from "./row-result.js";
import { structureError } from "./structured-answer.js";

const OUT_OF_MEMORY_RETRY_MS = 500;
/** Until a row is looked at again that a queue which lost data gave out twice. */
const POSTPONED_MS = 2_000;

export interface RowProcessorOptions {
  readonly provider: Provider;
  readonly pacer: Pacer;
  /** Calls of the model per row, the first included. */
  readonly attempts: number;
  readonly timeoutMs: number;
  /**
   * So many rows of this run are called, or answered and not yet settled, at once: no more can be called
   * twice when the process is killed. Others wait with their jobs at hand; closing the slots hands them back.
   */
  readonly slots: CallSlots;
  /**
   * Puts a result on disk before its job ends, where the journal is at hand; false: it could not, so the
   * queue must keep the result. Absent: the queue keeps every result until the coordinator has fetched it.
   */
  readonly settle?: (result: Result) => Promise<boolean>;
  /** At most so many calls at once to this endpoint, over all runs that share the limiter; absent: `slots` is all. */
  readonly limit?: ReturnType<typeof pLimit>;
  /** Aborts calls in flight; their rows go back to the queue. */
  readonly signal: AbortSignal;
  /** Aborts when no call is to begin any more; rows that wait for their turn go back to the queue. */
  readonly leaving?: AbortSignal;
  /** Whether another start of this row is under way in this process. */
  readonly isBeingCalled?: (jobId: string) => boolean;
  /** Told before a row is given back to be started again at once, by this process too. */
  readonly letGo?: (jobId: string, token: string) => void;
  /** Resolves when calls may start; false when this row must be left alone after all. */
  readonly mayStart?: (job: QueueJob, token: string) => Promise<boolean>;
  /** A failure that every row would share. No further row must be started. */
  readonly onRunError: (error: ProviderError) => Promise<void>;
  /** Asks for money for another start of a row. Returns its starts that are paid for; null: there is none. */
  readonly fundMore?: (payload: QueuePayload, starts: number) => number | null;
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
 * An answered or finally failed row returns its result, or null when that is settled already. A row to be
 * tried again throws: RetryableAttempt (counts as an attempt), DelayedError (throttled, does not count),
 * WaitingError (handed back untouched). What an attempt cost is written to the job before it is given back,
 * so that it is known to whoever settles the row later.
 */
export function createRowProcessor(options: RowProcessorOptions): RowProcessor {
  const { slots } = options;
  return async (job, token) => {
    let payload = parsePayload(job.data);
    if (payload === null) throw new UnrecoverableError("not a payload of this version");
    if (options.mayStart !== undefined && !(await options.mayStart(job, token))) throw new WaitingError();
    if (options.isBeingCalled?.(job.id ?? "") === true) return await postpone(job, token, payload);

    let funds = fundsFor(payload, job.attemptsStarted, options.attempts);
    if (funds === "short") [funds, payload] = moreFunds(payload, job.attemptsStarted - 1, options);
    if (funds === "used_up") {
      return await settled(job, failed(job, payload, startsUsedUp(payload), performance.now()), options);
    }
    if (funds === "short") {
      await options.onRunError(budgetSpent());
      return await handBackUncalled(job, token, payload, null);
    }
    const turn = slots.take();
    try {
      if (turn !== undefined) await turn;
    } catch (error) {
      return await handBackUncalled(job, token, payload, error);
    }
    try {
      return await settled(job, await attempt(job, token, payload, options), options);
    } finally {
      slots.giveBack();
    }
  };
}

/** The result, if the queue must keep it. */
async function settled(
  job: QueueJob,
  result: Result,
  { settle }: RowProcessorOptions,
): Promise<Result | null> {
  if (settle === undefined || !(await settle(result))) return result;
  job.opts.removeOnComplete = true;
  return null;
}

async function attempt(
  job: QueueJob,
  token: string,
  payload: QueuePayload,
  options: RowProcessorOptions,
): Promise<Result> {
  const part = nextTranslationPart(payload);
  const request = part?.request ?? payload.request;
  let ended: EndedCall;
  try {
    ended = await callModel(request, options);
  } catch (error) {
    return await handBackUncalled(job, token, payload, error);
  }
  const { permit, startedAt, error, answer } = ended;
  if (answer === null) {
    if (error instanceof ProviderError)
      return await afterFailure(error, permit, job, token, payload, startedAt, options);
    permit.failed(null);
    if (!ended.isCalled) return await handBackUncalled(job, token, payload, error);
    if (!options.signal.aborted) throw error; // a bug of ours: the row is retried and the error reported
    await job.moveToWait(token);
    throw new WaitingError();
  }
  if (part !== null) return await afterPart(part, answer, job, token, payload, startedAt, options);
  const unfit = structureError(request, answer, payload.priorUsages?.length ?? 0);
  if (unfit === null) return succeeded(job, payload, answer, startedAt);
  return await afterFailedAttempt(unfit, job, token, payload, startedAt, options, answer);
}

interface EndedCall {
  readonly permit: Permit;
  readonly startedAt: number;
  /** null: it failed with `error`. */
  readonly answer: Answer | null;
  readonly error: unknown;
  /** false: nothing was sent. */
  readonly isCalled: boolean;
}

/** Waits for the pace and calls the model. Rejects when the row's turn had not come before `leaving`. */
async function callModel(request: ModelRequest, options: RowProcessorOptions): Promise<EndedCall> {
  const { provider, limit, leaving, signal, timeoutMs } = options;
  const permit = await options.pacer.acquire(request, leaving ?? signal);
  const startedAt = performance.now();
  let isCalled = false;
  const call = (): Promise<Answer> => {
    leaving?.throwIfAborted();
    isCalled = true;
    return provider.call(request, { signal, timeoutMs });
  };
  try {
    const answer = await (limit === undefined ? call() : limit(call));
    permit.succeeded(answer.usage);
    return { permit, startedAt, answer, error: null, isCalled };
  } catch (error) {
    return { permit, startedAt, answer: null, error, isCalled };
  }
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
  const delayMs = error.disposition === "throttled" ? permit.throttled(error) : permit.failed(error);
  if (delayMs !== null) {
    // Throttled, or nothing reaches the server: the row keeps its attempts.
    options.onAttemptFailed?.(error);
    await keep(job, withEnded(payload, error));
    await job.moveToDelayed(Date.now() + delayMs, token);
    throw new DelayedError();
  }
  if (error.disposition === "run") {
    await options.onRunError(error);
    await keep(job, withEnded(payload, error));
    await job.moveToWait(token);
    throw new WaitingError();
  }
  return await afterFailedAttempt(error, job, token, payload, startedAt, options);
}

/** `answer`: what came, when it came and could not be used. */
async function afterFailedAttempt(
  error: ProviderError,
  job: QueueJob,
  token: string,
  payload: QueuePayload,
  startedAt: number,
  options: RowProcessorOptions,
  answer?: Answer,
): Promise<Result> {
  let next = withEnded(payload, error);
  let funds = fundsFor(next, job.attemptsStarted + 1, options.attempts);
  if (funds === "short") [funds, next] = moreFunds(next, job.attemptsStarted, options);
  const isLast = job.attemptsMade + 1 >= options.attempts || funds === "used_up";
  if (error.disposition === "row" || isLast) return failed(job, payload, error, startedAt, answer);
  options.onAttemptFailed?.(error);
  await keep(job, next);
  if (funds === "short") {
    await options.onRunError(budgetSpent());
    await job.moveToWait(token);
    throw new WaitingError();
  }
  // A server that answered needs no rest.
  const delayMs = answer === undefined ? retryDelayMs(error, job.attemptsMade + 1) : 1;
  throw new RetryableAttempt(error, delayMs);
}

/** What was paid for is used up and the row may be called again: asks whoever keeps the money. */
function moreFunds(
  payload: QueuePayload,
  starts: number,
  options: RowProcessorOptions,
): ["paid" | "short", QueuePayload] {
  const paidStarts = options.fundMore?.(payload, starts) ?? null;
  return paidStarts === null ? ["short", payload] : ["paid", { ...payload, paidStarts }];
}

/** Keeps a part of a long translation; the row goes back to the queue for the next one until none is left. */
async function afterPart(
  part: TranslationPart,
  answer: Answer,
  job: QueueJob,
  token: string,
  payload: QueuePayload,
  startedAt: number,
  options: RowProcessorOptions,
): Promise<Result> {
  const translated = withPart(payload.translated, part, answer);
  if (part.piece.isLast) {
    const { text, finishReason } = translated;
    return succeeded(job, payload, { ...answer, text, finishReason }, startedAt);
  }
  await keep(job, { ...withEnded(payload, answer), translated });
  options.letGo?.(job.id ?? "", token);
  await job.moveToWait(token);
  throw new WaitingError();
}

/**
 * What an attempt cost must not be forgotten because the server has no room right now: it is asked until it has, or the job is gone.
 */
async function keep(job: QueueJob, payload: QueuePayload): Promise<void> {
  for (;;) {
    try {
      await job.updateData(payload);
      return;
    } catch (error) {
      if (!(error as Error).message.includes("OOM ")) throw error;
      await new Promise((resolve) => setTimeout(resolve, OUT_OF_MEMORY_RETRY_MS));
    }
  }
}

/** The row is being called in this process already: this start waits for what comes of that one. */
async function postpone(job: QueueJob, token: string, payload: QueuePayload): Promise<never> {
  await keep(job, { ...payload, ended: (payload.ended ?? 0) + 1 });
  await job.moveToDelayed(Date.now() + POSTPONED_MS, token);
  throw new DelayedError();
}

/** The row waited for its turn and was called back before it came: nothing was sent. */
async function handBackUncalled(
  job: QueueJob,
  token: string,
  payload: QueuePayload,
  error: unknown,
): Promise<never> {
  if (error instanceof DelayedError || error instanceof WaitingError) throw error;
  await keep(job, { ...payload, ended: (payload.ended ?? 0) + 1 });
  await job.moveToWait(token);
  throw new WaitingError();
}

function withEnded(payload: QueuePayload, attempt: ProviderError | Answer): QueuePayload {
  const { usage } = attempt;
  const isUnknown = attempt instanceof ProviderError ? mayHaveBeenBilled(attempt) : usage === null;
  if (isUnknown) return payload; // counts as possibly billed
  const ended = (payload.ended ?? 0) + 1;
  if (usage === null) return { ...payload, ended };
  return { ...payload, ended, priorUsages: [...(payload.priorUsages ?? []), usage] };
}
