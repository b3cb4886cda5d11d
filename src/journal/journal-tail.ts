import { open, stat } from "node:fs/promises";
import type { PlacedEvent } from "../protocol/effects.js";
import { journalFiles, journalOffset } from "./journal-files.js";
import type { LoadedJournal } from "./load-journal.js";
import { lineError, parseLine } from "./parse-line.js";
import { readLines } from "./read-lines.js";

export interface JournalTailOptions {
  readonly directory: string;
  /** Number of this coordinator's own file. */
  readonly own: number;
  readonly rows: number;
  /** How far the others were read. */
  readonly loaded: LoadedJournal;
}

/** What other coordinators of a run write: one that was replaced still writes what its calls bring. */
export class JournalTail {
  readonly #options: JournalTailOptions;
  readonly #ends: Map<number, number>;

  constructor(options: JournalTailOptions) {
    this.#options = options;
    this.#ends = new Map(options.loaded.ends);
  }

  /** Events that came since it was last asked. */
  async newEvents(): Promise<PlacedEvent[]> {
    const { directory, own, rows } = this.#options;
    const events: PlacedEvent[] = [];
    for (const { number, path } of journalFiles(directory)) {
      const known = this.#ends.get(number) ?? 0;
      if (number === own || (await stat(path)).size <= known) continue;
      const file = await open(path, "r");
      try {
        const { end } = await readLines(file, known, (line, offset) => {
          const event = parseLine(line, rows);
          if (typeof event === "string")
            throw lineError(event, { where: `${path}, byte ${offset}`, line, rows });
          events.push({ event, offset: journalOffset(number, offset), length: line.length });
        });
        this.#ends.set(number, end);
      } finally {
        await file.close();
      }
    }
    return events;
  }
}
