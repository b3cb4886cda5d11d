import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { HaltError } from "../errors.js";
import { fingerprint } from "./source.js";
import { printable } from "./unsafe-text.js";

/** An input as it was when it was scanned. */
export interface KnownInput {
  readonly path: string;
  readonly gzip: boolean;
  /** Of the file as it lies on disk. */
  readonly bytes: number;
  /** Of the file as it lies on disk; hex. */
  readonly sha256: string;
}

/**
 * Compares one pass over an input with the file that was scanned: another file would put answers beside rows
 * that they do not belong to. HaltError `input_changed`: by its size before the first row, else after the last.
 */
export class InputCheck {
  readonly #known: KnownInput;
  readonly #hash = createHash("sha256");
  #bytes = 0;

  constructor(known: KnownInput) {
    this.#known = known;
  }

  async begin(): Promise<void> {
    const found = await stat(this.#known.path).catch(() => null); // opening it says what is wrong
    if (found?.isFile() === true && found.size !== this.#known.bytes) throw this.#changed(found.size);
  }

  add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  /** The whole file was read. */
  async end(): Promise<void> {
    const read = { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
    // After the end of the compressed data gzip files may carry padding, which decompressing leaves unread.
    if (this.#known.gzip && read.bytes < this.#known.bytes) await this.compare();
    else if (read.sha256 !== this.#known.sha256) throw this.#changed(read.bytes);
  }

  /** Reads the file once more. A file that cannot be read is left to who reads its rows. */
  async compare(): Promise<void> {
    const now = await fingerprint(this.#known.path).catch(() => null);
    if (now !== null && now.sha256 !== this.#known.sha256) throw this.#changed(now.bytes);
  }

  #changed(bytes: number): HaltError {
    const now = bytes === this.#known.bytes ? "with other contents" : `${bytes} bytes`;
    return new HaltError(
      printable(
        `The input ${this.#known.path} is not the file any more with which the run began: ${this.#known.bytes} bytes then, ${now} now.`,
      ),
      {
        code: "input_changed",
        hint: "Put the file back as it was, then resume the run; to go on with the file as it is now, resume it with --accept-changed-input.",
      },
    );
  }
}
