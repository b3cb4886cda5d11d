import { UsageError } from "../errors.js";
import { PROTOCOL_VERSION, type JournalEvent, type WorkerEvent } from "../protocol/events.js";
import { journalText } from "../protocol/outbox.js";
import { isJournalEvent, isKnownEvent, isWorkerEvent } from "./check-event.js";
import { isObject } from "./check-values.js";
import { isSealed, unsealedText } from "./checksum.js";
import { skimSettled } from "./skim-settled.js";

/** corrupt: nobody's line, or a damaged one; newer: of a promptmill that knows more than this one. */
export type LineProblem = "corrupt" | "newer";

/** Reads a line of the journal, without its newline. `rows`: how many the run has. */
export function parseLine(line: Buffer, rows: number): JournalEvent | LineProblem {
  return isSealed(line) ? parseSealed(line, rows) : problemOfUnsealed(line);
}

/** The same for who reads a whole journal: texts of answers may be left out. */
export function skimLine(line: Buffer, rows: number): JournalEvent | LineProblem {
  if (!isSealed(line)) return problemOfUnsealed(line);
  return skimSettled(line, rows) ?? parseSealed(line, rows);
}

function parseSealed(line: Buffer, rows: number): JournalEvent | LineProblem {
  const value = parseJson(unsealedText(line));
  if (isJournalEvent(value, rows)) return value;
  return isObject(value) && (isOfNewerVersion(value) || !isKnownEvent(value["event"])) ? "newer" : "corrupt";
}

function problemOfUnsealed(line: Buffer): LineProblem {
  return isOfNewerVersion(parseJson(line.toString("utf8"))) ? "newer" : "corrupt";
}

/**
 * Reads what a worker sent, as `journalText` has made it a line. null: it is not one line, or not an event of a worker about rows
 * of this run under the worker's name and the number that it was given.
 */
export function parseWorkerLine(text: string, worker: string, rows: number): WorkerEvent | null {
  const event = /[\r\n]/.test(text) ? null : parseJson(text);
  if (!isWorkerEvent(event, rows) || event.worker !== worker || event.seq === undefined) return null;
  return text.startsWith(journalText(worker, event.seq, "{")) ? event : null;
}

/** `where`: file and line. */
export function lineError(
  problem: LineProblem,
  { where, line, rows }: { readonly where: string; readonly line: Buffer; readonly rows: number },
): UsageError {
  if (problem === "newer") {
    return new UsageError(`${where}: the journal was written by a newer promptmill.`, {
      code: "journal_newer",
      hint: "Use that version for this run: the older one would misread it.",
    });
  }
  return new UsageError(
    `${where}: expected an event of one of the run's ${rows} rows, received ${preview(line)}.`,
    {
      code: "journal_corrupt",
      hint: `Something else wrote into the journal. Restore it from a backup, or remove that line (what it says is forgotten: if it is a result, its row is called again).`,
    },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Newer versions may seal their lines in another way, but say who they are in the first one. */
function isOfNewerVersion(value: unknown): boolean {
  return isObject(value) && value["event"] === "run" && Number(value["version"]) > PROTOCOL_VERSION;
}

function preview(line: Buffer): string {
  const text = JSON.stringify(line.subarray(0, 60).toString("utf8"));
  return line.length > 60 ? `${text}…` : text;
}
