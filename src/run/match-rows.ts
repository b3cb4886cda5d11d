import { closeSync, fdatasyncSync, openSync, writeFileSync } from "node:fs";
import { link, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { AnsweredBy, RequestBuilder } from "../job/index.js";
import { syncDirectory } from "../writer/atomic-file.js";
import { startKey } from "../writer/journal-index.js";
import { loadJournal } from "../writer/journal-load.js";
import { JournalReader } from "../writer/journal-reader.js";
import { payloadMaker } from "./row-payload.js";
import type { RowSource } from "./row-source.js";

const BATCH_CHARACTERS = 1_000_000;

export interface MatchOptions {
  readonly journalPath: string;
  /** Rows that the journal may name. */
  readonly rowsAtMost: number;
  /** The new input, and how many of its rows are part of the run. */
  readonly source: RowSource;
  readonly rows: number;
  readonly builder: RequestBuilder;
  readonly answeredBy: AnsweredBy;
  /** Whether a row is known by its id; else by its request alone. */
  readonly idsCount: boolean;
}

/** Which results stay, and for which row of the new input: by the key of their start. */
export interface Matches {
  readonly moves: ReadonlyMap<string, { readonly rowIndex: number; readonly customId: string }>;
}

/** Finds, for each row of a new input, the standing result of the old one that answers the same request. */
export async function matchRows(options: MatchOptions): Promise<Matches> {
  const { journalPath, rowsAtMost, rows, idsCount } = options;
  const { index } = await loadJournal(journalPath, rowsAtMost);
  const keyOf = (customId: string, digest: string): string => (idsCount ? `${digest} ${customId}` : digest);
  const free = new Map<string, string[]>();
  const reader = await JournalReader.open(journalPath, index);
  try {
    for (let row = 0; row < rowsAtMost; row++) {
      const result = index.isSettled(row) ? await reader.read(row) : null;
      if (result?.requestDigest === undefined) continue;
      const key = keyOf(result.customId, result.requestDigest);
      free.set(key, [...(free.get(key) ?? []), startKey(result)]);
    }
  } finally {
    await reader.close();
  }
  const make = payloadMaker(options.builder, options.answeredBy);
  const moves = new Map<string, { rowIndex: number; customId: string }>();
  for await (const batch of options.source()) {
    for (const row of batch) {
      if (row.rowIndex >= rows) return { moves };
      const made = row.problem ?? (await make(row));
      if ("kind" in made || made.requestDigest === undefined) continue;
      const start = free.get(keyOf(made.customId, made.requestDigest))?.shift();
      if (start !== undefined) moves.set(start, { rowIndex: row.rowIndex, customId: made.customId });
    }
  }
  return { moves };
}

/**
 * Writes the journal anew, with results where their rows stand now. What stands no more is kept as an extra
 * answer. The old journal is kept beside it as `journal.before-<time>.jsonl`.
 */
export async function rewriteJournal(
  journalPath: string,
  rowsAtMost: number,
  { moves }: Matches,
): Promise<void> {
  const temporary = `${journalPath}.new`;
  const file = openSync(temporary, "w", 0o600);
  try {
    const left = new Map(moves);
    let text = "";
    await loadJournal(journalPath, rowsAtMost, (result, isExtra) => {
      const move = isExtra ? undefined : left.get(startKey(result));
      if (move !== undefined) left.delete(startKey(result));
      const extra = isExtra ? result : { ...result, orphaned: true };
      text += `${JSON.stringify(move === undefined ? { event: "extra", result: extra } : { ...result, ...move })}\n`;
      if (text.length < BATCH_CHARACTERS) return;
      writeFileSync(file, text);
      text = "";
    });
    writeFileSync(file, text);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
  const stamp = new Date().toISOString().replaceAll(/[-:.]/g, "");
  await link(journalPath, journalPath.replace(/\.jsonl$/, `.before-${stamp}.jsonl`));
  await rename(temporary, journalPath);
  await syncDirectory(dirname(journalPath));
}
