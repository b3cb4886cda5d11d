import { open, type FileHandle } from "node:fs/promises";
import type { Result } from "../types.js";
import type { JournalIndex } from "./journal-index.js";

const BLOCK_BYTES = 256 * 1024;
const CACHED_BLOCKS = 32;

/**
 * Reads standing results out of a journal by row. Rows settle nearly in order, so a few blocks in memory
 * make reading them in input order nearly sequential.
 */
export class JournalReader {
  readonly #file: FileHandle;
  readonly #index: JournalIndex;
  readonly #blocks = new Map<number, Buffer>();
  #readers = 0;

  private constructor(file: FileHandle, index: JournalIndex) {
    this.#file = file;
    this.#index = index;
  }

  static async open(path: string, index: JournalIndex): Promise<JournalReader> {
    return new JournalReader(await open(path, "r"), index);
  }

  /** The row's last result, also one that was taken back for another try; null when it has none. */
  async read(rowIndex: number): Promise<Result | null> {
    const place = this.#index.locate(rowIndex);
    if (place === null) return null;
    this.#readers++;
    try {
      return JSON.parse(await this.#text(place.offset, place.length)) as Result;
    } finally {
      this.#readers--;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #text(offset: number, length: number): Promise<string> {
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + length - 1) / BLOCK_BYTES);
    if (first === last) {
      const start = offset - first * BLOCK_BYTES;
      const block = await this.#block(first, start + length);
      return block.toString("utf8", start, start + length);
    }
    const whole = Buffer.alloc(length);
    await this.#file.read(whole, 0, length, offset);
    return whole.toString("utf8");
  }

  /** `needed`: bytes the block must hold; a block read while the journal was shorter is read again. */
  async #block(number: number, needed: number): Promise<Buffer> {
    const cached = this.#blocks.get(number);
    if (cached !== undefined && cached.length >= needed) return cached;
    this.#blocks.delete(number);
    const { bytesRead, buffer } = await this.#file.read(
      this.#spare() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES),
      0,
      BLOCK_BYTES,
      number * BLOCK_BYTES,
    );
    const block = buffer.subarray(0, bytesRead);
    this.#blocks.set(number, block);
    return block;
  }

  /** The memory of the block that was read first, once there are enough: a new one for each read piles up. */
  #spare(): Buffer | null {
    if (this.#blocks.size < CACHED_BLOCKS || this.#readers > 1) return null; // another may be looking at it
    const [oldest] = this.#blocks;
    if (oldest === undefined) return null;
    this.#blocks.delete(oldest[0]);
    return Buffer.from(oldest[1].buffer, 0, BLOCK_BYTES);
  }
}
