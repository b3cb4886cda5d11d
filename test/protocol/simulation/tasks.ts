import type { RowTask } from "../../../src/protocol/events.js";
import type { Result, Usage } from "../../../src/types.js";

export const TIME = "2026-01-01T00:00:00.000Z";

const USAGE: Usage = { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0 };

/** A row's task. Its request's digest names the row and how often the request was changed. */
export function taskOf(rowIndex: number, version: number): RowTask {
  return {
    rowIndex,
    customId: `id-${rowIndex}`,
    preset: null,
    requestDigest: `row ${rowIndex}, version ${version}`,
    request: { model: "m", messages: [], parameters: {} },
    bound: { inputTokens: 1, outputTokens: 1, thinking: false },
    ended: 0,
    unusable: 0,
    paidCalls: null,
  };
}

/** `text`: null: it failed. */
export function resultOf(task: RowTask, text: string | null): Result {
  const { rowIndex, customId, requestDigest, ended } = task;
  const base = {
    rowIndex,
    customId,
    model: "m",
    preset: null,
    attempts: ended + 1,
    requestId: null,
    ...(requestDigest === undefined ? {} : { requestDigest }),
    usage: text === null ? null : USAGE,
    latencyMs: 1,
    finishedAt: TIME,
  };
  if (text !== null)
    return { ...base, status: "succeeded", output: { text, reasoning: null, finishReason: "stop" } };
  return { ...base, status: "failed", error: { kind: "server", code: "x", message: "", httpStatus: 500 } };
}
