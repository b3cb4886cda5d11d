import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../errors.js";
import type { LinePlace } from "../protocol/effects.js";
import type { Billing, SettledEvent } from "../protocol/events.js";
import type { RowTable } from "../protocol/row-table.js";
import type { Result } from "../types.js";
import { fileOfOffset, journalName } from "./journal-files.js";
import { isOldBeginning } from "./journal-head.js";
import { parseOldLine, settledEvent } from "./old-lines.js";
import { parseLine } from "./parse-line.js";

const BLOCK_BYTES = 256 * 1024;
const CACHED_BLOCKS = 32;

/** A row's result, and whether its last call was billed. */
export type StandingResult = Result & { readonly billing: Billing };

interface OpenFile {
  readonly handle: FileHandle;
  readonly isOld: boolean;
}

/**
 * Reads single results out of a run's journal. Rows settle nearly in order, so a few blocks in memory make reading them in input
 * order nearly sequential.
 */
export class JournalReader {
  readonly #directory: string;
  readonly #rows: RowTable;
  readonly #files = new Map<number, Promise<OpenFile>>();
  /** By number over all files: a place is in one file, and so is a block. */
  readonly #blocks = new Map<number, Buffer>();
  #readers = 0;

  constructor(directory: string, rows: RowTable) {
    this.#directory = directory;
    this.#rows = rows;
  }

  /** The row's last result, also when the row is to be called again; null when it has none. UsageError: it is damaged. */
  async read(rowIndex: number): Promise<StandingResult | null> {
    const place = this.#rows.locate(rowIndex);
    if (place === null) return null;
    this.#readers++;
    try {
      const file = await this.#file(place);
      const result = resultIn(await this.#cachedLine(file, place), file);
      if (result?.rowIndex === rowIndex) return result;
    } finally {
      this.#readers--;
    }
    const { file, offset } = fileOfOffset(place.offset);
    throw new UsageError(
      `${join(this.#directory, journalName(file))}: expected the result of row ${rowIndex} at byte ${offset}, received something else.`,
      { code: "journal_corrupt", hint: "Something else wrote into the journal. Restore it from a backup." },
    );
  }

  /** The result whose line is at that place; null: there is none. Keeps nothing in memory. */
  async readAt(place: LinePlace): Promise<StandingResult | null> {
    const file = await this.#file(place);
    return resultIn(await readLine(file, place), file);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.then(({ handle }) => handle.close()).catch(() => {});
    this.#files.clear();
  }

  async #file({ offset }: LinePlace): Promise<OpenFile> {
    const number = fileOfOffset(offset).file;
    let file = this.#files.get(number);
    if (file === undefined) this.#files.set(number, (file = openFile(this.#directory, number)));
    return await file;
  }

  async #cachedLine(file: OpenFile, place: LinePlace): Promise<Buffer> {
    const { offset, length } = place;
    const block = Math.floor(offset / BLOCK_BYTES);
    const start = offset - block * BLOCK_BYTES;
    const end = start + length;
    if (end > BLOCK_BYTES) return await readLine(file, place);
    return (await this.#block(file, block, end)).subarray(start, end);
  }

  /** `needed`: bytes the block must hold; a block read while the journal was shorter is read again. */
  async #block({ handle }: OpenFile, number: number, needed: number): Promise<Buffer> {
    const cached = this.#blocks.get(number);
    if (cached !== undefined && cached.length >= needed) return cached;
    this.#blocks.delete(number);
    const buffer = this.#spare() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const { offset } = fileOfOffset(number * BLOCK_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, BLOCK_BYTES, offset);
    const block = buffer.subarray(0, bytesRead);
    this.#blocks.set(number, block);
    return block;
  }

  /** The memory of the block that was read first, once there are enough: a new one for each read piles up. */
  #spare(): Buffer | null {
    if (this.#blocks.size < CACHED_BLOCKS || this.#readers > 1) return null; // another may be reading it
    const [oldest] = this.#blocks;
    if (oldest === undefined) return null;
    this.#blocks.delete(oldest[0]);
    return Buffer.from(oldest[1].buffer, 0, BLOCK_BYTES);
  }
}

async function openFile(directory: string, number: number): Promise<OpenFile> {
  const handle = await open(join(directory, journalName(number)), "r");
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, 0);
  return { handle, isOld: isOldBeginning(number, buffer.toString("latin1", 0, bytesRead)) };
}

async function readLine({ handle }: OpenFile, { offset, length }: LinePlace): Promise<Buffer> {
  const position = fileOfOffset(offset).offset;
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafeSlow(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function resultIn(line: Buffer, { isOld }: OpenFile): StandingResult | null {
  if (isOld) {
    const old = parseOldLine(line, Infinity);
    return old?.kind === "result" ? resultOf(settledEvent(old.result)) : null;
  }
  const event = parseLine(line, Infinity);
  return typeof event === "object" && event.event === "settled" ? resultOf(event) : null;
}

/** Without what the protocol and the file need. */
function resultOf(settled: SettledEvent): StandingResult {
  const { event: _, worker: _1, seq: _2, key: _3, ...result } = settled;
  return result;
}
