import type { Result } from "../types.js";
import {
  isAmount,
  isCount,
  isObject,
  isOptionalText,
  isOutput,
  isRow,
  isRowError,
  isText,
  isTextOrNull,
  isTime,
  isUsageOrNull,
} from "./check-values.js";

type AnyResult = { readonly [Key in keyof Result | "output" | "error"]?: unknown };

/** Whether an object is the result of one of a run's rows. Other members are not looked at. */
export function isResult(result: AnyResult, rows: number): boolean {
  return (
    isRow(result.rowIndex, rows) &&
    isText(result.customId) &&
    isText(result.model) &&
    isTextOrNull(result.preset) &&
    isCount(result.attempts) &&
    isTextOrNull(result.requestId) &&
    isOptionalText(result.requestDigest) &&
    isUsageOrNull(result.usage) &&
    isAmount(result.latencyMs) &&
    isTime(result.finishedAt) &&
    (result.reused === undefined || isReused(result.reused)) &&
    isOutcome(result)
  );
}

function isOutcome({ status, output, error }: AnyResult): boolean {
  if (status === "succeeded") return isOutput(output);
  return status === "failed" && isRowError(error) && (output === undefined || isOutput(output));
}

function isReused(value: unknown): boolean {
  return isObject(value) && isText(value["runId"]) && isUsageOrNull(value["usage"]);
}
