import { readSync } from "node:fs";
import type { JournalEvent } from "../protocol/events.js";
import { RowTable } from "../protocol/row-table.js";
import { eventsOfOldLine, parseOldLine } from "./old-lines.js";

/**
 * Reads the lines of a journal of the format before version 2 as events. A line that stands there twice, because its writer
 * died before it had noted it, counts once.
 */
export class OldJournal {
  readonly #file: number;
  readonly #rows: number;
  readonly #standing = new RowTable();
  /** Answers to rows that had one, by row, start and end. */
  readonly #extras = new Set<string>();

  /** `file`: its descriptor, open for as long as lines are read. */
  constructor(file: number, rows: number) {
    this.#file = file;
    this.#rows = rows;
  }

  /** null: it is no line of a journal. */
  events(line: Buffer, offset: number): JournalEvent[] | null {
    const old = parseOldLine(line, this.#rows);
    if (old === null) return null;
    if (old.kind === "retry") for (const row of old.event.rowIndexes) this.#standing.unsettle(row);
    else if (old.kind === "extra") {
      const { rowIndex, attemptsStarted, finishedAt } = old.result;
      const key = `${rowIndex}:${attemptsStarted}:${finishedAt}`;
      if (this.#extras.has(key)) return [];
      this.#extras.add(key);
    } else {
      if (this.#isRepeated(old.result.rowIndex, line)) return [];
      this.#standing.settle(old.result.rowIndex, old.result.status, offset, line.length);
    }
    return eventsOfOldLine(old);
  }

  #isRepeated(rowIndex: number, line: Buffer): boolean {
    const place = this.#standing.isSettled(rowIndex) ? this.#standing.locate(rowIndex) : null;
    if (place?.length !== line.length) return false;
    const before = Buffer.alloc(line.length);
    readSync(this.#file, before, 0, line.length, place.offset);
    return before.equals(line);
  }
}
