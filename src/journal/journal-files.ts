import { readdirSync } from "node:fs";
import { join } from "node:path";

export { fileOfOffset, journalOffset, MOST_FILES } from "../protocol/line-place.js";

/** One file of a run's journal. */
export interface JournalFile {
  /** From 0, in the order in which coordinators took the run's lock. */
  readonly number: number;
  readonly path: string;
}

/** `journal.jsonl`, `journal-2.jsonl`, `journal-3.jsonl`, … */
export function journalName(number: number): string {
  return number === 0 ? "journal.jsonl" : `journal-${number + 1}.jsonl`;
}

/** The files of a run's journal, in order; none when nothing was ever written. Throws ENOENT without the folder. */
export function journalFiles(directory: string): JournalFile[] {
  const files: JournalFile[] = [];
  for (const name of readdirSync(directory)) {
    const number = Number(/^journal(?:-(\d+))?\.jsonl$/.exec(name)?.[1] ?? 1) - 1;
    if (journalName(number) === name) files.push({ number, path: join(directory, name) });
  }
  return files.sort((a, b) => a.number - b.number);
}
