import { readFileSync } from "node:fs";
import { journalFiles } from "../../src/journal/journal-files.js";
import type { JournalEvent } from "../../src/protocol/events.js";

/** Every whole line of a run's journal, over all of its files. */
export function journalEvents(directory: string): JournalEvent[] {
  return journalFiles(directory).flatMap(({ path }) =>
    readFileSync(path, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as JournalEvent),
  );
}
