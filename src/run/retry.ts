import { UsageError } from "../errors.js";
import { foldJournal, JournalReader } from "../journal/index.js";
import { RowState } from "../protocol/row-table.js";
import type { Result } from "../types.js";
import type { RunRecord } from "./record.js";

/** Which settled rows to call again. Without any, all failed ones. */
export interface RetrySelection {
  /** Failed rows of these kinds. */
  readonly kinds?: readonly string[] | undefined;
  /** Failed rows with these codes. */
  readonly codes?: readonly string[] | undefined;
  /** Also succeeded rows whose answers ended so; `length`: cut off at the token limit. */
  readonly finishReasons?: readonly string[] | undefined;
}

/**
 * Rows that a selection means, in ascending order. Rows that succeeded are never among them unless asked for. UsageError when
 * there is none.
 */
export async function selectRows(
  directory: string,
  { identity, rows }: Pick<RunRecord, "identity" | "rows">,
  selection: RetrySelection,
): Promise<number[]> {
  const { kinds = [], codes = [], finishReasons = [] } = selection;
  const wantsFailed = finishReasons.length === 0 || kinds.length + codes.length > 0;
  const { rows: table } = await foldJournal({ directory, identity, rows });
  const reader = new JournalReader(directory, table);
  const selected: number[] = [];
  try {
    for (let row = 0; row < rows; row++) {
      const state = table.state(row);
      if (state === RowState.unsettled) continue;
      if (state === RowState.failed && kinds.length + codes.length === 0) {
        if (wantsFailed) selected.push(row);
        continue;
      }
      if (state === RowState.succeeded && finishReasons.length === 0) continue;
      const result = await reader.read(row);
      if (result !== null && isSelected(result, kinds, codes, finishReasons)) selected.push(row);
    }
  } finally {
    await reader.close();
  }
  if (selected.length > 0) return selected;
  throw new UsageError("No row of this run is to be tried again.", {
    code: "nothing_to_retry",
    hint: "promptmill status shows how rows ended; errors.jsonl has the failed ones.",
  });
}

function isSelected(
  result: Result,
  kinds: readonly string[],
  codes: readonly string[],
  finishReasons: readonly string[],
): boolean {
  if (result.status === "succeeded") return finishReasons.includes(result.output.finishReason);
  const { kind, code } = result.error;
  return (
    (kinds.length === 0 || kinds.includes(kind)) &&
    (codes.length === 0 || codes.includes(code)) &&
    kinds.length + codes.length > 0
  );
}
