import { open } from "node:fs/promises";
import type { UsageError } from "../errors.js";
import type { JournalEvent } from "../protocol/events.js";
import { Ledger, type LedgerListener } from "../protocol/ledger.js";
import { RowTable } from "../protocol/row-table.js";
import { journalOffset } from "./journal-files.js";
import { readHeads, type JournalHead } from "./journal-head.js";
import { OldJournal } from "./old-journal.js";
import { lineError, skimLine } from "./parse-line.js";
import { readLines, type OnLine } from "./read-lines.js";

export interface LoadOptions {
  /** Folder of the run. */
  readonly directory: string;
  /** Of the run, by run.json: an input that was accepted, and not yet noted there, does not count. null: it has none yet. */
  readonly identity: string | null;
  /** Rows of the run. */
  readonly rows: number;
  /** Is told lines that cannot be read, which are then passed over. Absent: the first one is thrown. */
  readonly onUnreadable?: (error: UsageError) => void;
}

/** Takes events in order; texts of answers may be left out. `offset` and `length`: where the line stands. */
export type ApplyEvent = (event: JournalEvent, offset: number, length: number) => void;

/** How far a run's journal was read. */
export interface LoadedJournal {
  /** Where whole lines end in each file, by its number. Infinity: nothing more is to be read of it. */
  readonly ends: ReadonlyMap<number, number>;
  /** Bytes of torn lines behind them. */
  readonly tornBytes: number;
}

/**
 * Reads all files of a run's journal, in order; none is as good as an empty one. A last line without its newline is what a crash
 * leaves and is passed over, in each file. Anything else that is no event is refused with its line: UsageError.
 */
export async function loadJournal(options: LoadOptions, apply: ApplyEvent): Promise<LoadedJournal> {
  const { directory, identity, rows } = options;
  const ends = new Map<number, number>();
  let torn = 0;
  for (const head of readHeads(directory, identity, rows)) {
    if (!head.counts) {
      ends.set(head.number, Infinity);
      continue;
    }
    // What comes to earlier files is about rows of another input.
    if (head.hasOtherInput) for (const number of ends.keys()) ends.set(number, Infinity);
    const file = await open(head.path, "r");
    try {
      const onLine = head.isOld ? oldLines(head, file.fd, options, apply) : lines(head, options, apply);
      const { end, tornBytes } = await readLines(file, 0, onLine);
      ends.set(head.number, end);
      torn += tornBytes;
    } finally {
      await file.close();
    }
  }
  return { ends, tornBytes: torn };
}

/** All that a run's journal says. The listener hears what counts. */
export async function foldJournal(options: LoadOptions, listener?: LedgerListener): Promise<Ledger> {
  const ledger = new Ledger(new RowTable(), listener);
  await loadJournal(options, (event, offset, length) => ledger.apply(event, offset, length));
  return ledger;
}

function lines(
  { number, path, rows }: JournalHead,
  { onUnreadable }: LoadOptions,
  apply: ApplyEvent,
): OnLine {
  let lineNumber = 0;
  return (line, offset) => {
    lineNumber++;
    const event = skimLine(line, rows);
    if (typeof event === "object") apply(event, journalOffset(number, offset), line.length);
    else refuse(lineError(event, { where: `${path}:${lineNumber}`, line, rows }), onUnreadable);
  };
}

function oldLines(head: JournalHead, file: number, options: LoadOptions, apply: ApplyEvent): OnLine {
  const { path, rows } = head;
  const old = new OldJournal(file, rows);
  let lineNumber = 0;
  return (line, offset) => {
    lineNumber++;
    const events = old.events(line, offset);
    const where = `${path}:${lineNumber}`;
    if (events === null) refuse(lineError("corrupt", { where, line, rows }), options.onUnreadable);
    else for (const event of events) apply(event, offset, line.length);
  };
}

function refuse(error: UsageError, onUnreadable: LoadOptions["onUnreadable"]): void {
  if (onUnreadable === undefined || error.code !== "journal_corrupt") throw error;
  onUnreadable(error);
}
