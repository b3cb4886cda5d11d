import type { UsageError } from "../errors.js";
import { countLineFeeds, toUtf8, UndecodableBytes } from "./decode.js";
import { guessEncoding } from "./encoding-guess.js";
import { place, WrongEncoding } from "./input-error.js";
import type { ByteSource } from "./source.js";
import { readBytes } from "./source.js";

export interface TextSource extends ByteSource {
  /** As `settleEncoding` returned it. */
  readonly encoding: string;
}

/**
 * Reads a file as UTF-8 chunks that end on whole characters, without a byte order mark.
 *
 * Bytes that the encoding does not know are refused by a UsageError that names line, byte and offset and
 * proposes an encoding; they are never replaced.
 */
export async function* readText(source: TextSource): AsyncGenerator<Buffer> {
  try {
    yield* toUtf8(readBytes(source), source.encoding, source.path);
  } catch (error) {
    throw error instanceof UndecodableBytes ? await undecodableFailure(source, error) : error;
  }
}

async function undecodableFailure(source: TextSource, bad: UndecodableBytes): Promise<UsageError> {
  const line = (await lineFeedsBeforeFailure(source)) + bad.lineFeedsBefore + 1;
  const byte = `0x${bad.byte.toString(16).toUpperCase().padStart(2, "0")}`;
  const where = `offset ${String(bad.offset)}${source.gzip ? " of the decompressed text" : ""}`;
  const guess = guessEncoding(bad.sample);
  const other = "others are utf-8, gb18030, big5, shift_jis, euc-kr, windows-1252";
  return new WrongEncoding(
    `${place(source.path, line)}: the byte ${byte} at ${where} is not valid ${source.encoding}.`,
    guess === source.encoding
      ? `The file may be damaged there, or in another encoding: set \`input.encoding\` (${other}).`
      : `The text around it looks like ${guess}: set \`input.encoding: ${guess}\` in the job file (${other}).`,
    "input_undecodable",
    guess,
  );
}

/** Counting lines on the way would cost every good file; a bad one is read a second time instead. */
async function lineFeedsBeforeFailure(source: TextSource): Promise<number> {
  let lineFeeds = 0;
  try {
    const bytes = readBytes({ path: source.path, gzip: source.gzip, signal: source.signal });
    for await (const chunk of toUtf8(bytes, source.encoding, source.path)) lineFeeds += countLineFeeds(chunk);
  } catch (error) {
    if (!(error instanceof UndecodableBytes)) throw error;
  }
  return lineFeeds;
}
