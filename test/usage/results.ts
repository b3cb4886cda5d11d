import type { Result, RowErrorKind, Usage } from "../../src/types.js";

/** Usage of one attempt; what is not named is zero. */
export function usageOf(inputTokens: number, outputTokens: number, more: Partial<Usage> = {}): Usage {
  return { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0, ...more };
}

export interface ResultInput {
  rowIndex?: number;
  model?: string;
  usage?: Usage | null;
  priorUsages?: readonly Usage[];
  possiblyBilled?: number;
  finishedAt?: string;
  /** A failed row when given. */
  kind?: RowErrorKind;
}

/** A settled row of qwen-plus with 1,000 tokens in and 100 out, unless said otherwise. */
export function resultOf(input: ResultInput = {}): Result {
  const rowIndex = input.rowIndex ?? 0;
  const base = {
    rowIndex,
    customId: `row-${rowIndex}`,
    model: input.model ?? "qwen-plus",
    preset: null,
    attempts: 1 + (input.priorUsages?.length ?? 0),
    attemptsStarted: 1,
    possiblyBilled: input.possiblyBilled ?? 0,
    requestId: null,
    usage: input.usage === undefined ? usageOf(1000, 100) : input.usage,
    ...(input.priorUsages ? { priorUsages: input.priorUsages } : {}),
    latencyMs: 10,
    finishedAt: input.finishedAt ?? "2026-11-22T05:10:00.000Z",
  };
  if (input.kind === undefined) {
    return { ...base, status: "succeeded", output: { text: "x", reasoning: null, finishReason: "stop" } };
  }
  return {
    ...base,
    status: "failed",
    error: { kind: input.kind, code: "some_code", message: "It failed.", httpStatus: 400 },
  };
}
