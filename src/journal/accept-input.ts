import { link, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { PROTOCOL_VERSION, type JournalEvent, type SettledEvent } from "../protocol/events.js";
import { syncDirectory } from "../writer/atomic-file.js";
import { journalFiles, journalName } from "./journal-files.js";
import { LineBuffer } from "./line-buffer.js";

/** What is written at once. */
const BLOCK_BYTES = 1 << 20;

export interface AcceptedInputOptions {
  readonly directory: string;
  /** Of the run from now on. */
  readonly identity: string;
  /** Rows of the input before. */
  readonly rowsBefore: number;
  /** Of rows that keep their results: as these rows are now, and without keys, since their calls are counted already. */
  readonly results: AsyncIterable<SettledEvent>;
}

/**
 * Adds a file to a run's journal that says: the input is another, and these of its rows have results already. The file is there as a
 * whole or not at all, and counts once run.json has the new identity. Returns how many results there are.
 */
export async function acceptInput(options: AcceptedInputOptions): Promise<number> {
  const { directory, identity, rowsBefore, results } = options;
  const at = new Date().toISOString();
  const temporary = join(directory, "journal.new");
  const file = await open(temporary, "w", 0o600);
  let count = 0;
  try {
    const lines = new LineBuffer();
    const add = (event: JournalEvent): number => lines.add(JSON.stringify(event));
    add({ event: "run", version: PROTOCOL_VERSION, identity, at });
    add({ event: "input", at, rowsBefore });
    for await (const result of results) {
      add(result);
      count++;
      if (lines.length < BLOCK_BYTES) continue;
      await file.writeFile(lines.bytes);
      lines.clear();
    }
    await file.writeFile(lines.bytes);
    await file.datasync();
  } finally {
    await file.close();
  }
  await publish(directory, temporary);
  return count;
}

async function publish(directory: string, temporary: string): Promise<void> {
  for (let number = (journalFiles(directory).at(-1)?.number ?? -1) + 1; ; number++) {
    try {
      await link(temporary, join(directory, journalName(number)));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  await rm(temporary);
  await syncDirectory(directory);
}
