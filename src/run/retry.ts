import { UsageError } from "../errors.js";
import type { Result } from "../types.js";
import { RowState, type JournalIndex } from "../writer/journal-index.js";
import { loadJournal } from "../writer/journal-load.js";
import { JournalReader } from "../writer/journal-reader.js";
import { Journal } from "../writer/journal.js";

/** Which settled rows to call again. Without any, all failed ones. */
export interface RetrySelection {
  /** Failed rows of these kinds. */
  readonly kinds?: readonly string[] | undefined;
  /** Failed rows with these codes. */
  readonly codes?: readonly string[] | undefined;
  /** Also succeeded rows whose answers ended so; `length`: cut off at the token limit. */
  readonly finishReasons?: readonly string[] | undefined;
}

/** Rows that a selection means, in ascending order. Rows that succeeded are never among them unless asked for. */
export async function selectRows(
  journalPath: string,
  rows: number,
  index: JournalIndex,
  selection: RetrySelection,
): Promise<number[]> {
  const { kinds = [], codes = [], finishReasons = [] } = selection;
  const wantsFailed = finishReasons.length === 0 || kinds.length + codes.length > 0;
  const reader = await JournalReader.open(journalPath, index);
  const selected: number[] = [];
  try {
    for (let row = 0; row < rows; row++) {
      const state = index.state(row);
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
  return selected;
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

/**
 * Takes the selected rows of a run back, durably, so that carrying it out again calls them and no other.
 * Returns how many. UsageError when there is none. The caller holds the run's lock.
 */
export async function takeBack(
  journalPath: string,
  rows: number,
  selection: RetrySelection,
): Promise<number> {
  const { index, size } = await loadJournal(journalPath, rows);
  const selected = await selectRows(journalPath, rows, index, selection);
  if (selected.length === 0) {
    throw new UsageError("No row of this run is to be tried again.", {
      code: "nothing_to_retry",
      hint: "promptmill status shows how rows ended; errors.jsonl has the failed ones.",
    });
  }
  const journal = await Journal.open(
    journalPath,
    size,
    () => {},
    () => {},
  );
  await journal.appendEvent({ event: "retry", at: new Date().toISOString(), rowIndexes: selected });
  await journal.close();
  return selected.length;
}
