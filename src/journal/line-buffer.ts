import { CHECKSUM_BYTES, sealLine } from "./checksum.js";

const NEWLINE = 10;
const FIRST_BYTES = 256 * 1024;
/** A larger buffer is kept for the lines of one write only. */
const MOST_KEPT_BYTES = 4 * 1024 * 1024;

/** Gathers lines as bytes, in one buffer that is used again and again. */
export class LineBuffer {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;

  /** Bytes gathered. */
  get length(): number {
    return this.#length;
  }

  /** What was gathered; good until `clear`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > MOST_KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** Adds the text of a JSON object with its checksum. Returns the bytes of the line, without its newline. */
  add(object: string): number {
    const start = this.#length;
    const most = start + 3 * object.length + CHECKSUM_BYTES + 1; // a UTF-16 unit is up to three bytes of UTF-8
    if (most > this.#buffer.length) this.#grow(most);
    const braceAt = start + this.#buffer.write(object, start) - 1;
    const end = sealLine(this.#buffer, start, braceAt);
    this.#buffer[end] = NEWLINE;
    this.#length = end + 1;
    return end - start;
  }

  #grow(least: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(least, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
