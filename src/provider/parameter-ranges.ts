import type { Parameters } from "../types.js";
import type { Vendor } from "./endpoint.js";

interface Range {
  readonly min: number;
  readonly max: number;
  readonly minExcluded?: boolean;
  readonly maxExcluded?: boolean;
  readonly integer?: boolean;
}

type NumericParameter =
  | "temperature"
  | "topP"
  | "topK"
  | "presencePenalty"
  | "repetitionPenalty"
  | "seed"
  | "maxTokens"
  | "maxCompletionTokens"
  | "thinkingBudget"
  | "topLogprobs";

/**
 * Ranges of the numeric parameters. Source: chat and DashScope API reference, mid-2026 (the overview of
 * 10 Dec 2025 prints top_p [0, 1]; 0 is refused by the service). Other servers take temperature 2 and
 * more log probabilities.
 */
export const PARAMETER_RANGES: Readonly<Record<NumericParameter, Range>> = {
  temperature: { min: 0, max: 2, maxExcluded: true },
  topP: { min: 0, max: 1, minExcluded: true },
  topK: { min: 0, max: Infinity, integer: true },
  presencePenalty: { min: -2, max: 2 },
  repetitionPenalty: { min: 0, max: Infinity, minExcluded: true },
  seed: { min: 0, max: 2 ** 31 - 1, integer: true },
  maxTokens: { min: 1, max: Infinity, integer: true },
  maxCompletionTokens: { min: 1, max: Infinity, integer: true },
  thinkingBudget: { min: 1, max: Infinity, integer: true },
  topLogprobs: { min: 0, max: 5, integer: true },
};

const OTHER_VENDOR_RANGES: Readonly<Partial<Record<NumericParameter, Range>>> = {
  temperature: { min: 0, max: 2 },
  topLogprobs: { min: 0, max: 20, integer: true },
};

/** Adds one sentence to `problems` for each number that is out of its range. */
export function checkRanges(parameters: Parameters, vendor: Vendor, problems: string[]): void {
  for (const name in parameters) {
    if (!isNumeric(name)) continue;
    const value = parameters[name];
    if (value === undefined) continue;
    const range = (vendor === "other" ? OTHER_VENDOR_RANGES[name] : undefined) ?? PARAMETER_RANGES[name];
    if (!isWithin(value, range)) problems.push(`${name} must be ${describe(range)}, not ${String(value)}`);
  }
}

function isNumeric(name: string): name is NumericParameter {
  return Object.hasOwn(PARAMETER_RANGES, name);
}

function isWithin(value: number, range: Range): boolean {
  if (typeof value !== "number" || Number.isNaN(value)) return false;
  if (range.integer === true && !Number.isInteger(value)) return false;
  const above = range.minExcluded === true ? value > range.min : value >= range.min;
  const below = range.maxExcluded === true || range.max === Infinity ? value < range.max : value <= range.max;
  return above && below;
}

function describe(range: Range): string {
  const kind = range.integer === true ? "a whole number" : "a number";
  if (range.max === Infinity)
    return `${kind} ${range.minExcluded === true ? "above" : "of at least"} ${range.min}`;
  return `${kind} in ${range.minExcluded === true ? "(" : "["}${range.min}, ${range.max}${range.maxExcluded === true ? ")" : "]"}`;
}
