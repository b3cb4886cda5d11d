import type { AttemptEvent, Billing, JournalEvent, RetryEvent, SettledEvent } from "../protocol/events.js";
import type { CallBound, Result, Usage } from "../types.js";
import { isResult } from "./check-result.js";
import { isBound, isCount, isObject, isRow, isTime, isUsage } from "./check-values.js";

/** Under which the calls of such journals are counted: they did not say who made them. */
const WORKER = "before-events";

/** A result as the format before version 2 has it: with what its row's earlier calls came to. */
type OldResult = Result & {
  readonly attemptsStarted: number;
  /** Calls that may have been billed with no answer recorded, each within the bound. */
  readonly possiblyBilled: number;
  readonly callBound?: CallBound;
  /** Of billed calls before the last one. */
  readonly priorUsages?: readonly Usage[];
  /** All that the row's calls cost is counted here: the run had it no more when its input had changed. */
  readonly orphaned?: true;
};

/** What a line of the format before version 2 says. `extra`: an answer to a row that had one. */
export type OldLine =
  | { readonly kind: "result" | "extra"; readonly result: OldResult }
  | { readonly kind: "retry"; readonly event: RetryEvent };

/** Reads a line of a journal without checksums; null: it is none. */
export function parseOldLine(line: Buffer, rows: number): OldLine | null {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  const { event, at, rowIndexes } = value;
  if (event === undefined) return oldLine("result", value, rows);
  // Rows of another input than today's may be among these.
  if (event === "extra") return oldLine("extra", value["result"], Infinity);
  const isRetry = event === "retry" && isTime(at) && Array.isArray(rowIndexes);
  if (!isRetry || !rowIndexes.every((row) => isRow(row, rows))) return null;
  return { kind: "retry", event: { event: "retry", at, rowIndexes } };
}

function oldLine(kind: "result" | "extra", value: unknown, rows: number): OldLine | null {
  return isOldResult(value, rows) ? { kind, result: value } : null;
}

function isOldResult(value: unknown, rows: number): value is OldResult {
  if (!isObject(value) || !isResult(value, rows)) return false;
  const { attemptsStarted, possiblyBilled, callBound, priorUsages } = value;
  return (
    isCount(attemptsStarted) &&
    isCount(possiblyBilled) &&
    (callBound === undefined || isBound(callBound)) &&
    (priorUsages === undefined || (Array.isArray(priorUsages) && priorUsages.every(isUsage)))
  );
}

/** The same as events: first what the calls came to, then the result. */
export function eventsOfOldLine(line: OldLine): JournalEvent[] {
  if (line.kind === "retry") return [line.event];
  const { result } = line;
  if (line.kind === "result") return [...earlierCalls(result), settledEvent(result)];
  if (result.reused !== undefined) return [];
  const last = result.usage === null ? [] : [attempt(result, "billed", result.usage)];
  return result.orphaned === true ? [...earlierCalls(result), ...last] : last;
}

/** The result of an old line, as one of today. */
export function settledEvent(old: OldResult): SettledEvent {
  const {
    attemptsStarted: _,
    possiblyBilled: _1,
    callBound: _2,
    priorUsages: _3,
    orphaned: _4,
    ...result
  } = old;
  const billing = billingOf(old);
  // Possibly billed calls are counted apart, the last one among them.
  return { event: "settled", ...(billing === "billed" ? { key: 1 } : {}), billing, ...result };
}

function billingOf({ status, usage, reused, possiblyBilled, attempts }: OldResult): Billing {
  if (reused !== undefined) return "free";
  if (usage !== null || (status === "succeeded" && attempts > 0)) return "billed";
  return possiblyBilled > 0 ? "possible" : "free";
}

function earlierCalls(result: OldResult): AttemptEvent[] {
  if (result.reused !== undefined) return [];
  const possible = Array.from({ length: result.possiblyBilled }, () => attempt(result, "possible", null));
  return [...(result.priorUsages ?? []).map((usage) => attempt(result, "billed", usage)), ...possible];
}

function attempt(result: OldResult, billing: Billing, usage: Usage | null): AttemptEvent {
  const { rowIndex, customId, model, finishedAt, callBound } = result;
  const call = { worker: WORKER, key: 1, rowIndex, customId, model, at: finishedAt, counts: false } as const;
  return {
    event: "attempt",
    ...call,
    billing,
    usage,
    ...(callBound === undefined || billing !== "possible" ? {} : { callBound }),
  };
}
