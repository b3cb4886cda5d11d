import type { Job as QueueJob } from "bullmq";
import type { ProviderError } from "../provider/provider.js";
import type { QueuePayload } from "../queue/payload.js";
import type { Answer, Output, Result, RowError, Usage } from "../types.js";
import { boundField, mayHaveBeenBilled } from "./billing.js";

/** The result of a row that was answered. */
export function succeeded(job: QueueJob, payload: QueuePayload, answer: Answer, startedAt: number): Result {
  // Assigned, not spread: an object of twenty fields is copied for each row otherwise.
  const isUnknown = answer.usage === null;
  return Object.assign(resultBase(job, payload, answer.usage, answer.requestId, startedAt, isUnknown), {
    status: "succeeded" as const,
    output: outputOf(answer),
  });
}

function outputOf({ text, reasoning, finishReason, toolCalls, logprobs }: Answer): Output {
  if (toolCalls === undefined && logprobs === undefined) return { text, reasoning, finishReason };
  return {
    text,
    reasoning,
    finishReason,
    ...(toolCalls === undefined ? {} : { toolCalls }),
    ...(logprobs === undefined ? {} : { logprobs }),
  };
}

/** The result of a row that failed for good. `answer`: what came, when it came and could not be used. */
export function failed(
  job: QueueJob,
  payload: QueuePayload,
  error: ProviderError,
  startedAt: number,
  answer?: Answer,
): Result {
  const rowError: RowError = {
    kind: error.kind,
    code: error.code,
    message: error.message,
    httpStatus: error.httpStatus,
  };
  const isUnknown = mayHaveBeenBilled(error);
  return {
    ...resultBase(job, payload, error.usage, error.requestId, startedAt, isUnknown),
    status: "failed",
    error: rowError,
    ...(answer === undefined ? {} : { output: outputOf(answer) }),
  };
}

function resultBase(
  job: QueueJob,
  payload: QueuePayload,
  usage: Usage | null,
  requestId: string | null,
  startedAt: number,
  mayBeBilledUnknown = false,
): Omit<Result, "status" | "output" | "error"> {
  const endsKnown = (payload.ended ?? 0) + (mayBeBilledUnknown ? 0 : 1);
  const possiblyBilled = Math.max(0, job.attemptsStarted - endsKnown);
  const { requestDigest, priorUsages } = payload;
  const base = {
    rowIndex: payload.rowIndex,
    customId: payload.customId,
    model: payload.request.model,
    preset: payload.preset,
    attempts: job.attemptsMade + 1 + (payload.translated?.parts ?? 0),
    attemptsStarted: job.attemptsStarted,
    possiblyBilled,
    requestId,
    usage,
    latencyMs: Math.round(performance.now() - startedAt),
    finishedAt: new Date().toISOString(),
  };
  if (requestDigest !== undefined) Object.assign(base, { requestDigest });
  if (priorUsages !== undefined) Object.assign(base, { priorUsages });
  return possiblyBilled > 0 ? Object.assign(base, boundField(payload, possiblyBilled)) : base;
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
  const possiblyBilled = Math.max(0, attemptsStarted - (payload?.ended ?? 0));
  return {
    rowIndex,
    customId: payload?.customId ?? String(rowIndex),
    model: payload?.request.model ?? "unknown",
    preset: payload?.preset ?? null,
    attempts: 0,
    attemptsStarted,
    possiblyBilled,
    ...(payload === null ? {} : boundField(payload, possiblyBilled)),
    requestId: null,
    ...(payload?.requestDigest === undefined ? {} : { requestDigest: payload.requestDigest }),
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
