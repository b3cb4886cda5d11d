import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { UsageError } from "../errors.js";
import { inputError } from "./input-error.js";

/**
 * Bytes per read. Large enough that the cost per chunk vanishes; small enough that a chunk's text, at two bytes
 * per character too, stays under the 128 KB from which strings are pages of their own to the engine: made and
 * given back one by one, they cost half of the time of reading.
 */
const CHUNK_BYTES = 60 * 1024;

export interface ByteSource {
  readonly path: string;
  /** The file's content is gzip and comes out decompressed. */
  readonly gzip: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Sees every chunk of the file as it lies on disk, compressed or not; for hashing. */
  readonly onRawChunk?: ((chunk: Buffer) => void) | undefined;
}

/**
 * Opens an input file for reading.
 *
 * Throws UsageError, in one sentence each, for a file that is missing, may not be read, is a directory
 * or is a pipe or device (those cannot be read twice, which a resume has to).
 */
export async function openInputFile(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    throw openFailure(path, error);
  }
  const stats = await file.stat();
  if (stats.isFile()) return file;
  await file.close();
  if (stats.isDirectory()) throw directoryFailure(path);
  throw inputError(
    "input_not_a_file",
    `The input ${path} is a pipe or a device, which can be read only once.`,
    "Give `-` as the input and pipe the data in: it is then copied into the run directory.",
  );
}

function openFailure(path: string, error: unknown): UsageError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return inputError(
      "input_not_found",
      `The input file ${path} does not exist.`,
      "Check the path: in a job file it is relative to the job file, on the command line to the working folder.",
      error,
    );
  }
  if (code === "EACCES" || code === "EPERM") {
    return inputError(
      "input_not_readable",
      `The input file ${path} may not be read by this user.`,
      `Allow it, for example with \`chmod u+r ${path}\`, or run as a user who may read it.`,
      error,
    );
  }
  if (code === "EISDIR") return directoryFailure(path);
  const reason = error instanceof Error ? error.message : String(error);
  return inputError(
    "input_not_readable",
    `The input file ${path} could not be opened: ${reason}.`,
    "Check the path and the disk it is on.",
    error,
  );
}

function directoryFailure(path: string): UsageError {
  return inputError(
    "input_is_directory",
    `The input ${path} is a directory, not a file.`,
    "Name one CSV or JSONL file in it.",
  );
}

async function* readRawBytes(source: ByteSource): AsyncGenerator<Buffer> {
  const file = await openInputFile(source.path);
  const read = (): ReturnType<typeof file.read<Buffer>> => {
    const reading = file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
    reading.catch(() => {}); // whoever stops reading does not wait for it
    return reading;
  };
  try {
    let reading = read();
    for (;;) {
      source.signal?.throwIfAborted();
      const { bytesRead, buffer } = await reading;
      if (bytesRead === 0) return;
      reading = read(); // comes in while this chunk is worked on
      const chunk = buffer.subarray(0, bytesRead);
      source.onRawChunk?.(chunk);
      yield chunk;
    }
  } finally {
    await file.close();
  }
}

/**
 * Reads a file's content in chunks of up to 60 KB, decompressed when it is gzip.
 *
 * Chunks are fresh buffers that the caller may keep. Stops with the signal's reason when aborted; a
 * truncated or damaged gzip file is a UsageError, after the chunks that could be read.
 */
export async function* readBytes(source: ByteSource): AsyncGenerator<Buffer> {
  if (!source.gzip) {
    yield* readRawBytes(source);
    return;
  }
  const raw = Readable.from(readRawBytes(source), { objectMode: false });
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  raw.once("error", (error) => gunzip.destroy(error));
  raw.pipe(gunzip);
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    throw isZlibError(error) ? gzipFailure(source.path, error) : error;
  } finally {
    raw.destroy();
    gunzip.destroy();
  }
}

function isZlibError(error: unknown): error is Error & { code: string } {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_")
  );
}

function gzipFailure(path: string, error: Error & { code: string }): UsageError {
  const truncated = error.code === "Z_BUF_ERROR";
  return inputError(
    truncated ? "gzip_truncated" : "gzip_corrupt",
    truncated
      ? `The gzip file ${path} ends too early: it is truncated.`
      : `The gzip file ${path} is damaged: ${error.message}.`,
    `Check it with \`gzip -t ${path}\` and copy or download it again.`,
    error,
  );
}

/**
 * Size and SHA-256 (hex) of the file as it lies on disk, still compressed when it is gzip.
 *
 * A resume compares them with run.json: an input that changed would settle other rows than it asked.
 */
export async function fingerprint(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of readRawBytes({ path, gzip: false })) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
