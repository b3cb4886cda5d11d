import type { RequestBuilder } from "../job/index.js";
import { foldJournal, JournalReader } from "../journal/index.js";
import type { SettledEvent } from "../protocol/events.js";
import type { RunRecord } from "./record.js";
import type { RowSource } from "./row-source.js";
import { taskMaker, type TaskContext } from "./row-task.js";

export interface MatchOptions {
  readonly directory: string;
  /** Of the run with its old input. */
  readonly record: Pick<RunRecord, "identity" | "rows">;
  /** The new input, and how many of its rows are part of the run. */
  readonly source: RowSource;
  readonly rows: number;
  readonly builder: RequestBuilder;
  readonly context: TaskContext;
  /** Whether a row is known by its id; else by its request alone. */
  readonly idsCount: boolean;
}

/** For each row of a new input, the standing result of the old one that answers the same request, if there is one. */
export async function* matchedResults(options: MatchOptions): AsyncGenerator<SettledEvent> {
  const { directory, rows, idsCount } = options;
  const keyOf = (customId: string, digest: string): string => (idsCount ? `${digest} ${customId}` : digest);
  const keys: (string | undefined)[] = [];
  const { rows: table } = await foldJournal(
    { directory, ...options.record },
    {
      settled: ({ rowIndex, customId, requestDigest }) => {
        keys[rowIndex] = requestDigest === undefined ? undefined : keyOf(customId, requestDigest);
      },
    },
  );
  const free = new Map<string, number[]>();
  for (const [row, key] of keys.entries()) {
    if (key === undefined || !table.isSettled(row)) continue;
    const same = free.get(key);
    if (same === undefined) free.set(key, [row]);
    else same.push(row);
  }
  for (const same of free.values()) same.reverse(); // the first is taken first
  const make = taskMaker(options.builder, options.context);
  const reader = new JournalReader(directory, table);
  try {
    for await (const batch of options.source()) {
      for (const row of batch) {
        if (row.rowIndex >= rows) return;
        const task = row.problem ?? (await make(row));
        if ("kind" in task || task.requestDigest === undefined) continue;
        const before = free.get(keyOf(task.customId, task.requestDigest))?.pop();
        const result = before === undefined ? null : await reader.read(before);
        const { rowIndex, customId } = task;
        if (result !== null) yield { event: "settled", ...result, rowIndex, customId };
      }
    }
  } finally {
    await reader.close();
  }
}
