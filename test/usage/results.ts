import type { CallBound, Result, RowErrorKind, Usage } from "../../src/types.js";
import type { UsageTotals } from "../../src/usage/index.js";

/** Usage of one attempt; what is not named is zero. */
export function usageOf(inputTokens: number, outputTokens: number, more: Partial<Usage> = {}): Usage {
  return { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0, ...more };
}

export interface ResultInput {
  rowIndex?: number;
  model?: string;
  /** Of the last call; null: it was not billed. */
  usage?: Usage | null;
  /** Of billed calls before. */
  priorUsages?: readonly Usage[];
  /** Calls that may have been billed, each within the bound. */
  possiblyBilled?: number;
  bound?: CallBound | null;
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
    requestId: null,
    usage: input.usage === undefined ? usageOf(1000, 100) : input.usage,
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

/** Counts a row and its calls as the journal's fold tells them. */
export function countRow(totals: UsageTotals, input: ResultInput = {}): void {
  const result = resultOf(input);
  const { rowIndex, customId, model, usage, finishedAt } = result;
  const call = { rowIndex, customId, model, at: finishedAt, bound: input.bound ?? null };
  for (const prior of input.priorUsages ?? []) totals.ended({ ...call, billing: "billed", usage: prior });
  for (let possible = input.possiblyBilled ?? 0; possible > 0; possible--)
    totals.ended({ ...call, billing: "possible", usage: null });
  totals.ended({ ...call, billing: usage === null ? "free" : "billed", usage });
  totals.settled(result);
}
