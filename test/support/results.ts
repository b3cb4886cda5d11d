import type { Result, RowError } from "../../src/types.js";

const base = {
  model: "qwen-plus",
  preset: null,
  attempts: 1,
  requestId: null,
  usage: null,
  latencyMs: 1,
  finishedAt: "2026-01-02T03:04:05.000Z",
} as const;

/** A result of a row that was answered. */
export function answered(rowIndex: number, text = `answer ${rowIndex}`, more: Partial<Result> = {}): Result {
  const output = { text, reasoning: null, finishReason: "stop" };
  return { ...base, rowIndex, customId: `r${rowIndex}`, ...more, status: "succeeded", output };
}

/** A result of a row that failed for good. */
export function refused(rowIndex: number, error: Partial<RowError> = {}, more: Partial<Result> = {}): Result {
  return {
    ...base,
    rowIndex,
    customId: `r${rowIndex}`,
    ...more,
    status: "failed",
    error: { kind: "invalid_request", code: "bad", message: "refused", httpStatus: 400, ...error },
  };
}
