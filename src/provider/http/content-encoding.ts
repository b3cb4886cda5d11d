import * as zlib from "node:zlib";
import type { Transform } from "node:stream";

/** Tells what was announced and cannot be read from a body that is damaged. */
export class EncodingError extends Error {
  readonly code: "UNSUPPORTED_ENCODING" | "MALFORMED_ENCODING";

  constructor(code: EncodingError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

export interface DecodedSink {
  decoded(chunk: Buffer): void;
  decodingEnded(error: Error | null): void;
}

/** A stream that breaks off yields what it held: whether that is an answer is decided later. */
const LENIENT = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
const LENIENT_BROTLI = { finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH };
/** Node from 22.15. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };

/**
 * Undoes `content-encoding`, several in reverse order. null: nothing to undo. We ask for none (`accept-encoding:
 * identity`: answers are small, and a compressed stream is held back), but servers and proxies compress unasked.
 */
export class ContentDecoder {
  readonly #sink: DecodedSink;
  readonly #names: readonly string[];
  #steps: Transform[] = [];

  static for(header: string | string[] | undefined, sink: DecodedSink): ContentDecoder | null {
    if (header === undefined) return null;
    const names = String(header)
      .toLowerCase()
      .split(",")
      .map((name) => name.trim().replace(/^x-/, ""));
    const coded = names.filter((name) => name !== "" && name !== "identity");
    return coded.length === 0 ? null : new ContentDecoder(coded.reverse(), sink);
  }

  private constructor(names: readonly string[], sink: DecodedSink) {
    this.#names = names;
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    if (this.#steps.length === 0) this.#build(chunk);
    this.#steps[0]?.write(chunk);
  }

  end(): void {
    if (this.#steps.length === 0) this.#sink.decodingEnded(null);
    else this.#steps[0]?.end();
  }

  destroy(): void {
    for (const step of this.#steps) step.destroy();
  }

  #build(first: Buffer): void {
    this.#steps = this.#names.map((name, index) => stepFor(name, index === 0 ? first : null));
    for (const [index, step] of this.#steps.entries()) {
      const next = this.#steps[index + 1];
      step.on("data", (chunk: Buffer) =>
        next === undefined ? this.#sink.decoded(chunk) : next.write(chunk),
      );
      step.on("end", () => (next === undefined ? this.#sink.decodingEnded(null) : next.end()));
      step.on("error", (error) =>
        this.#sink.decodingEnded(
          new EncodingError("MALFORMED_ENCODING", `${this.#names.join(", ")}: ${error.message}`),
        ),
      );
    }
  }
}

function stepFor(name: string, first: Buffer | null): Transform {
  // createUnzip reads gzip and zlib alike; some servers send bare deflate data under that name.
  if (name === "gzip") return zlib.createUnzip(LENIENT);
  if (name === "deflate") {
    const isZlib = first === null || ((first[0] ?? 0) & 0x0f) === 8;
    return isZlib ? zlib.createInflate(LENIENT) : zlib.createInflateRaw(LENIENT);
  }
  if (name === "br") return zlib.createBrotliDecompress(LENIENT_BROTLI);
  if (name === "zstd" && createZstdDecompress !== undefined) return createZstdDecompress();
  throw new EncodingError("UNSUPPORTED_ENCODING", name);
}
