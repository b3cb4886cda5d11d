import type { BillComparison, BillDifference } from "./bill-check.js";
import { formatAmount, withThousands } from "./money.js";
import { formatTextTable } from "./text-table.js";

const FIELDS = { amount: "amount", inputTokens: "input tokens", outputTokens: "output tokens" } as const;

/** What `report --check` prints: a table of differences, or one sentence that there are none. */
export function formatBillComparison(comparison: BillComparison, width = 80): string {
  const { compared, differences, from, to, timeZone, possiblyBilled } = comparison;
  if (from === null) return "The bill has no lines.\n";
  const period = `${from} to ${to ?? from}, days in ${timeZone}`;
  if (differences.length === 0) return `The bill agrees: ${compared} days and models compared, ${period}.\n`;
  const table = formatTextTable(
    [
      { title: "day" },
      { title: "model", shrinks: true },
      { title: "figure" },
      { title: "ours", align: "right" },
      { title: "bill", align: "right" },
      { title: "difference", align: "right" },
    ],
    differences.map((difference) => [
      difference.day,
      difference.model,
      difference.currency === null
        ? FIELDS[difference.field]
        : `${FIELDS[difference.field]}, ${difference.currency}`,
      figure(difference, difference.ours),
      figure(difference, difference.bill),
      difference.difference === null ? "" : signed(difference),
    ]),
    width,
  );
  const lines = [
    table,
    "",
    `${differences.length} differences; ${compared} days and models compared, ${period}.`,
  ];
  if (possiblyBilled > 0) {
    lines.push(
      `${possiblyBilled} calls may have been billed without an answer recorded; they may explain some.`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function figure(difference: BillDifference, value: number | null): string {
  if (value === null) return "none";
  return difference.field === "amount" ? formatAmount(value) : withThousands(String(value));
}

function signed(difference: BillDifference): string {
  const value = difference.difference ?? 0;
  return `${value < 0 ? "-" : "+"}${figure(difference, Math.abs(value))}`;
}
