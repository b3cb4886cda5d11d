import { z } from "zod";

/**
 * Bounds of a number and how messages word them ("a number in [0, 2)"). One range serves the schema, a
 * row's cell and a preset, so that all refuse the same values with the same words.
 */
export interface NumberRange {
  readonly expected: string;
  readonly whole: boolean;
  readonly minimum: number;
  /** May be Infinity. */
  readonly maximum: number;
  /** Which bound is not itself allowed; none when absent. */
  readonly open?: "minimum" | "maximum" | undefined;
}

export function numberRange(minimum: number, maximum: number, open?: "minimum" | "maximum"): NumberRange {
  return { ...worded("a number", minimum, maximum, open), whole: false };
}

/** Whole numbers, both bounds included. */
export function wholeRange(minimum: number, maximum = Infinity): NumberRange {
  return { ...worded("a whole number", minimum, maximum), whole: true };
}

export function inRange(range: NumberRange, value: number): boolean {
  return (
    Number.isFinite(value) &&
    (!range.whole || Number.isSafeInteger(value)) &&
    (range.open === "minimum" ? value > range.minimum : value >= range.minimum) &&
    (range.open === "maximum" ? value < range.maximum : value <= range.maximum)
  );
}

/** The range as a schema whose JSON Schema shows the bounds to editors. */
export function rangeSchema(range: NumberRange): z.ZodNumber {
  const error = range.expected;
  const base = range.whole ? z.int({ error }) : z.number({ error });
  const above =
    range.open === "minimum" ? base.gt(range.minimum, { error }) : base.min(range.minimum, { error });
  if (range.maximum === Infinity) return above;
  return range.open === "maximum" ? above.lt(range.maximum, { error }) : above.max(range.maximum, { error });
}

function worded(
  kind: string,
  minimum: number,
  maximum: number,
  open?: "minimum" | "maximum",
): Omit<NumberRange, "whole"> {
  const expected =
    maximum === Infinity
      ? `${kind} ${open === "minimum" ? "above" : "of at least"} ${minimum}`
      : `${kind} in ${open === "minimum" ? "(" : "["}${minimum}, ${maximum}${open === "maximum" ? ")" : "]"}`;
  return { expected, minimum, maximum, open };
}
