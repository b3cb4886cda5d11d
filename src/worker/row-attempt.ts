import type { RowTask } from "../protocol/events.js";
import type { AttemptEnd, Outcome } from "../protocol/worker-core.js";
import { ProviderError, type Provider } from "../provider/provider.js";
import type { Answer } from "../types.js";
import { billingOf } from "./billing.js";
import { nextTranslationPart, withPart, type TranslationPart } from "./long-translation.js";
import type { Permit } from "./pacer.js";
import { retryDelayMs } from "./retry.js";
import { failed, rowErrorOf, succeeded } from "./row-result.js";
import { structureError } from "./structured-answer.js";

export interface AttemptOptions {
  readonly provider: Provider;
  /** Calls of the model per row, the first included. */
  readonly attempts: number;
  readonly timeoutMs: number;
  /** Aborts calls under way: their rows go back, and they may have been billed. */
  readonly signal: AbortSignal;
  /** A failure that every row would share. */
  readonly onRunError: (error: ProviderError) => void;
  /** Something failed in our own code: nothing is to be tried again. */
  readonly onBug: (error: unknown) => void;
  /** For progress: each call that ended without settling its row. */
  readonly onAttemptFailed?: (error: ProviderError) => void;
}

/** What a call is made of, and when it began: milliseconds on a clock that never jumps. */
interface Attempt {
  readonly task: RowTask;
  readonly permit: Permit;
  readonly options: AttemptOptions;
  readonly startedAt: number;
}

/** Makes one call for one row, and says what becomes of the row. Never rejects. */
export async function attemptRow(task: RowTask, permit: Permit, options: AttemptOptions): Promise<Outcome> {
  const attempt = { task, permit, options, startedAt: performance.now() };
  try {
    const part = nextTranslationPart(task);
    const { provider, signal, timeoutMs } = options;
    const answer = await provider.call(part?.request ?? task.request, { signal, timeoutMs });
    permit.succeeded(answer.usage);
    return part === null ? afterAnswer(attempt, answer) : afterPart(attempt, part, answer);
  } catch (error) {
    if (error instanceof ProviderError) return afterFailure(attempt, error);
    permit.failed(null);
    if (!options.signal.aborted) options.onBug(error);
    return { kind: "returned", attempt: ended("possible", false), reason: "stopping" };
  }
}

function afterAnswer(attempt: Attempt, answer: Answer): Outcome {
  const { task, startedAt } = attempt;
  const unfit = structureError(task.request, answer, task.unusable);
  if (unfit !== null) return afterFailedAttempt(attempt, unfit, answer);
  return { kind: "settled", billing: "billed", result: succeeded(task, answer, startedAt) };
}

function afterFailure(attempt: Attempt, error: ProviderError): Outcome {
  const { task, permit, options } = attempt;
  const waitMs = error.disposition === "throttled" ? permit.throttled(error) : permit.failed(error);
  if (waitMs !== null) {
    // Throttled, or nothing reaches the server: the row keeps its attempts.
    options.onAttemptFailed?.(error);
    return again(task, failedAttempt(error, false), waitMs);
  }
  if (error.disposition === "run") {
    options.onRunError(error);
    return { kind: "returned", attempt: failedAttempt(error, false), reason: "halted" };
  }
  return afterFailedAttempt(attempt, error);
}

/** `answer`: what came, when it came and could not be used. */
function afterFailedAttempt(attempt: Attempt, error: ProviderError, answer?: Answer): Outcome {
  const { task, options, startedAt } = attempt;
  const billing = billed(error, answer);
  if (error.disposition === "row" || task.ended + 1 >= options.attempts)
    return { kind: "settled", billing, result: failed(task, error, startedAt, answer) };
  options.onAttemptFailed?.(error);
  // A server that answered needs no rest.
  const waitMs = answer === undefined ? retryDelayMs(error, task.ended + 1) : 1;
  const unusable = task.unusable + (answer === undefined ? 0 : 1);
  return again(
    { ...task, ended: task.ended + 1, unusable },
    { ...failedAttempt(error, true), billing },
    waitMs,
  );
}

/** An answer was billed, also one whose tokens nobody knows. */
function billed(error: ProviderError, answer: Answer | undefined): AttemptEnd["billing"] {
  return answer === undefined ? billingOf(error) : "billed";
}

/** Keeps a part of a long translation; the row is called again for the next one until none is left. */
function afterPart({ task, startedAt }: Attempt, part: TranslationPart, answer: Answer): Outcome {
  const translated = withPart(task.translated, part, answer);
  if (part.piece.isLast) {
    const { text, finishReason } = translated;
    const result = succeeded(task, { ...answer, text, finishReason }, startedAt);
    return { kind: "settled", billing: "billed", result };
  }
  const attempt: AttemptEnd = { ...ended("billed", false), usage: answer.usage, translated };
  return again({ ...task, translated }, attempt, 0);
}

/** Another call, if it is paid for; else the coordinator is asked for the money. */
function again(task: RowTask, attempt: AttemptEnd, waitMs: number): Outcome {
  const { paidCalls } = task;
  if (paidCalls === null || attempt.billing === "free") return { kind: "again", waitMs, attempt, task };
  if (paidCalls <= 1) return { kind: "returned", attempt, reason: "unpaid" };
  return { kind: "again", waitMs, attempt, task: { ...task, paidCalls: paidCalls - 1 } };
}

function failedAttempt(error: ProviderError, counts: boolean): AttemptEnd {
  return { ...ended(billingOf(error), counts), usage: error.usage, error: rowErrorOf(error) };
}

function ended(billing: AttemptEnd["billing"], counts: boolean): AttemptEnd {
  return { at: new Date().toISOString(), counts, billing, usage: null };
}
