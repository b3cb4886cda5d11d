import { closeSync, openSync, readSync } from "node:fs";
import { journalFiles, type JournalFile } from "./journal-files.js";
import { parseLine } from "./parse-line.js";

/** The first line of a file, and the one that says that rows are others from here on, fit into this. */
const HEAD_BYTES = 1_024;
const FIRST_WORDS = '{"event":"run"';

export interface JournalHead extends JournalFile {
  /** Of the format before version 2. */
  readonly isOld: boolean;
  /** How many rows its lines may name. */
  readonly rows: number;
  /** It begins with another input than the files before it. */
  readonly hasOtherInput: boolean;
  /** What it says counts. */
  readonly counts: boolean;
}

/** Whether a file begins like one of the format before version 2. `beginning`: some of its first bytes. */
export function isOldBeginning(number: number, beginning: string): boolean {
  return number === 0 && !beginning.startsWith(FIRST_WORDS);
}

/**
 * The files of a run's journal, in order. One that begins with another input counts only while that input is the run's: else the
 * process that accepted the input died before run.json said so, or the input is another again.
 */
export function readHeads(directory: string, identity: string | null, rows: number): JournalHead[] {
  const heads: JournalHead[] = [];
  let rowsNow = rows;
  for (const { number, path } of journalFiles(directory).reverse()) {
    const beginning = readBeginning(path);
    const input = acceptedInput(beginning);
    heads.push({
      number,
      path,
      isOld: isOldBeginning(number, beginning.toString("latin1")),
      rows: rowsNow,
      hasOtherInput: input !== null,
      counts: input === null || input.identity === identity,
    });
    rowsNow = input?.rowsBefore ?? rowsNow;
  }
  return heads.reverse();
}

function readBeginning(path: string): Buffer {
  const file = openSync(path, "r");
  try {
    const beginning = Buffer.alloc(HEAD_BYTES);
    return beginning.subarray(0, readSync(file, beginning, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

function acceptedInput(beginning: Buffer): { identity: string; rowsBefore: number } | null {
  const firstEnd = beginning.indexOf("\n");
  const secondEnd = beginning.indexOf("\n", firstEnd + 1);
  if (firstEnd === -1 || secondEnd === -1) return null;
  const run = parseLine(beginning.subarray(0, firstEnd), 0);
  const input = parseLine(beginning.subarray(firstEnd + 1, secondEnd), 0);
  if (typeof run === "string" || typeof input === "string") return null;
  if (run.event !== "run" || input.event !== "input") return null;
  return { identity: run.identity, rowsBefore: input.rowsBefore };
}
