import type { CallBound, Output, RowError, Usage } from "../types.js";

/** An object out of JSON whose members are not known yet. */
export type Unchecked<T> = { readonly [Key in keyof T]?: unknown };

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}

export function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

export function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

/** An integer from 0. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** An integer from 1. */
export function isKey(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export function isRow(value: unknown, rows: number): value is number {
  return isCount(value) && value < rows;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

/** ISO 8601, UTC. */
export function isTime(value: unknown): value is string {
  return typeof value === "string" && TIME.test(value);
}

/** Finite and from 0. */
export function isAmount(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0;
}

function isOptionalCount(value: unknown): boolean {
  return value === undefined || isCount(value);
}

function isOptionalFlag(value: unknown): boolean {
  return value === undefined || typeof value === "boolean";
}

export function isUsage(value: unknown): value is Usage {
  if (!isObject(value)) return false;
  const usage: Unchecked<Usage> = value;
  return (
    isCount(usage.inputTokens) &&
    isCount(usage.outputTokens) &&
    isCount(usage.cachedInputTokens) &&
    isCount(usage.reasoningTokens) &&
    isOptionalCount(usage.cacheWriteTokens) &&
    isOptionalCount(usage.imageTokens) &&
    isOptionalCount(usage.audioTokens) &&
    isOptionalCount(usage.videoTokens) &&
    isOptionalFlag(usage.thinking)
  );
}

export function isUsageOrNull(value: unknown): value is Usage | null {
  return value === null || isUsage(value);
}

export function isBound(value: unknown): value is CallBound {
  if (!isObject(value)) return false;
  const bound: Unchecked<CallBound> = value;
  return (
    isAmount(bound.inputTokens) &&
    isAmount(bound.outputTokens) &&
    isOptionalFlag(bound.thinking) &&
    isOptionalFlag(bound.writesCache)
  );
}

export function isRowError(value: unknown): value is RowError {
  if (!isObject(value)) return false;
  const error: Unchecked<RowError> = value;
  return (
    isText(error.kind) &&
    isText(error.code) &&
    isText(error.message) &&
    (error.httpStatus === null || isCount(error.httpStatus))
  );
}

export function isOutput(value: unknown): value is Output {
  if (!isObject(value)) return false;
  const output: Unchecked<Output> = value;
  return (
    isText(output.text) &&
    isTextOrNull(output.reasoning) &&
    isText(output.finishReason) &&
    (output.toolCalls === undefined || Array.isArray(output.toolCalls)) &&
    (output.logprobs === undefined || Array.isArray(output.logprobs))
  );
}
