import type { RowTask } from "../protocol/events.js";
import type { ProviderError } from "../provider/provider.js";
import type { Answer, Output, Result, RowError, Usage } from "../types.js";

/** When a call began, on a clock that never jumps, milliseconds. */
type StartedAt = number;

/** The result of a row that was answered. */
export function succeeded(task: RowTask, answer: Answer, startedAt: StartedAt): Result {
  // Assigned, not spread: an object of many fields is copied for each row otherwise.
  return Object.assign(resultBase(task, answer.usage, answer.requestId, startedAt), {
    status: "succeeded" as const,
    output: outputOf(answer),
  });
}

/** The result of a row that failed for good. `answer`: what came, when it came and could not be used. */
export function failed(task: RowTask, error: ProviderError, startedAt: StartedAt, answer?: Answer): Result {
  return Object.assign(resultBase(task, error.usage, error.requestId, startedAt), {
    status: "failed" as const,
    error: rowErrorOf(error),
    ...(answer === undefined ? {} : { output: outputOf(answer) }),
  });
}

export function rowErrorOf({ kind, code, message, httpStatus }: ProviderError): RowError {
  return { kind, code, message, httpStatus };
}

/** The result of a row that three workers died with, each while it was their only call. */
export function lostResult(task: RowTask, losses: number, finishedAt: string): Result {
  const { rowIndex, customId, preset, requestDigest } = task;
  return {
    rowIndex,
    customId,
    model: task.request.model,
    preset,
    attempts: task.ended,
    requestId: null,
    ...(requestDigest === undefined ? {} : { requestDigest }),
    usage: null,
    latencyMs: 0,
    finishedAt,
    status: "failed",
    error: {
      kind: "worker_lost",
      code: "worker_lost",
      message: `Every worker that called this row died (${losses} times).`,
      httpStatus: null,
    },
  };
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

function resultBase(
  task: RowTask,
  usage: Usage | null,
  requestId: string | null,
  startedAt: StartedAt,
): Omit<Result, "status" | "output" | "error"> {
  const { requestDigest, translated } = task;
  const base = {
    rowIndex: task.rowIndex,
    customId: task.customId,
    model: task.request.model,
    preset: task.preset,
    attempts: task.ended + 1 + (translated?.parts ?? 0),
    requestId,
    usage,
    latencyMs: Math.round(performance.now() - startedAt),
    finishedAt: new Date().toISOString(),
  };
  return requestDigest === undefined ? base : Object.assign(base, { requestDigest });
}
