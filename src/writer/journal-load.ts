import { open } from "node:fs/promises";
import { UsageError } from "../errors.js";
import type { Result } from "../types.js";
import { JournalIndex, startKey } from "./journal-index.js";
import type { JournalEntry } from "./journal.js";

const CHUNK_BYTES = 1 << 20;
const NEWLINE = 0x0a;

export interface LoadedJournal {
  readonly index: JournalIndex;
  /** Bytes that hold whole lines; a torn last line lies behind them. */
  readonly size: number;
  readonly tornBytes: number;
  /** Lines that said once more what the row's line before had said; they count once. */
  readonly duplicates: number;
}

/**
 * Reads a journal from its start. `onResult` sees each result that counts, in the order of the file:
 * usage of every line is owed, although only a row's last line stands. `isExtra`: it never stood.
 *
 * A last line without its newline is what a crash leaves and is passed over. Anything else that is not a
 * journal line is refused, with its number: UsageError.
 */
export async function loadJournal(
  path: string,
  rows: number,
  onResult: (result: Result, isExtra: boolean) => void = () => {},
): Promise<LoadedJournal> {
  const index = new JournalIndex();
  let duplicates = 0;
  let lineNumber = 0;
  const file = await open(path, "r");
  try {
    /** A promise only where the file must be looked into again: a million lines are read without waiting. */
    const accept = (line: Buffer, offset: number): Promise<void> | undefined => {
      lineNumber++;
      const entry = parseEntry(line, path, lineNumber, rows);
      if ("event" in entry) {
        if (entry.event === "retry") {
          for (const rowIndex of entry.rowIndexes) index.unsettle(rowIndex);
        } else if (index.extras.has(startKey(entry.result))) {
          duplicates++;
        } else {
          index.extras.add(startKey(entry.result));
          onResult(entry.result, true);
        }
        return undefined;
      }
      const before = index.isSettled(entry.rowIndex) ? index.locate(entry.rowIndex) : null;
      if (before?.length === line.length) return settleUnlessSame(entry, line, offset, before.offset);
      settle(entry, line, offset);
      return undefined;
    };
    const settle = (result: Result, line: Buffer, offset: number): void => {
      index.settle(result.rowIndex, result.status, offset, line.length);
      onResult(result, false);
    };
    const settleUnlessSame = async (
      result: Result,
      line: Buffer,
      offset: number,
      offsetBefore: number,
    ): Promise<void> => {
      const { buffer } = await file.read(Buffer.alloc(line.length), 0, line.length, offsetBefore);
      if (buffer.equals(line)) duplicates++;
      else settle(result, line, offset);
    };
    const end = await forEachLine(file, accept);
    return { index, size: end.size, tornBytes: end.tornBytes, duplicates };
  } finally {
    await file.close();
  }
}

async function forEachLine(
  file: Awaited<ReturnType<typeof open>>,
  accept: (line: Buffer, offset: number) => Promise<void> | undefined,
): Promise<{ size: number; tornBytes: number }> {
  let rest = Buffer.alloc(0);
  let restOffset = 0;
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let position = 0; ;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return { size: restOffset, tornBytes: rest.length };
    position += bytesRead;
    const data =
      rest.length === 0
        ? Buffer.from(chunk.subarray(0, bytesRead))
        : Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end !== -1; end = data.indexOf(NEWLINE, start)) {
      const accepting = accept(data.subarray(start, end), restOffset + start);
      if (accepting !== undefined) await accepting;
      start = end + 1;
    }
    restOffset += start;
    rest = Buffer.from(data.subarray(start));
  }
}

function parseEntry(line: Buffer, path: string, lineNumber: number, rows: number): JournalEntry {
  try {
    const entry = JSON.parse(line.toString("utf8")) as Partial<Result> | JournalEntry;
    if (entry !== null && typeof entry === "object") {
      if ("event" in entry) {
        if (entry.event === "retry" && Array.isArray(entry.rowIndexes)) return entry;
        if (entry.event === "extra" && Number.isInteger(entry.result?.rowIndex)) return entry;
      }
      const { rowIndex, status } = entry as Partial<Result>;
      const known = status === "succeeded" || status === "failed";
      if (known && Number.isInteger(rowIndex) && (rowIndex as number) >= 0 && (rowIndex as number) < rows) {
        return entry as Result;
      }
    }
  } catch {
    // refused below, with the line
  }
  throw new UsageError(
    `${path}:${lineNumber}: expected a result of one of the run's ${rows} rows, received ${preview(line)}.`,
    {
      code: "journal_corrupt",
      hint: `Something else wrote into the journal. Restore it from a backup, or remove line ${lineNumber} (that row is then called again).`,
    },
  );
}

function preview(line: Buffer): string {
  const text = JSON.stringify(line.subarray(0, 60).toString("utf8"));
  return line.length > 60 ? `${text}…` : text;
}
