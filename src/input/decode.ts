import { isUtf8 } from "node:buffer";
import iconv from "iconv-lite";
import type { UsageError } from "../errors.js";
import { inputError, MAX_RECORD_BYTES } from "./input-error.js";

/** Bytes of the file around a bad one that an error carries, for guessing the right encoding. */
const SAMPLE_BYTES = 64 * 1024;

/** Bytes that the encoding has no character for. Caught inside this folder, to become a UsageError. */
export class UndecodableBytes extends Error {
  constructor(
    /** Of the first bad byte, in decompressed bytes from the file's start. */
    readonly offset: number,
    readonly byte: number,
    /** Line feeds between the last chunk that came out and the bad byte. */
    readonly lineFeedsBefore: number,
    /** Bytes from the bad byte's line on, up to 64 KB. */
    readonly sample: Buffer,
  ) {
    super(`undecodable byte at offset ${String(offset)}`);
  }
}

export function countLineFeeds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

/** How one encoding's bytes are cut into blocks that end on a whole character, and decoded. */
interface BlockCodec {
  /** How many of the bytes form whole characters; the rest waits for more. */
  wholeLength(bytes: Buffer): number;
  /** The block as UTF-8, or the index of the first byte that is no character. */
  decode(block: Buffer): Buffer | number;
}

const utf8: BlockCodec = {
  wholeLength(bytes) {
    for (let back = 1; back <= Math.min(3, bytes.length); back++) {
      const byte = bytes[bytes.length - back] as number;
      if (byte < 0x80) return bytes.length;
      if (byte < 0xc0) continue;
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? bytes.length - back : bytes.length;
    }
    return bytes.length;
  },
  decode: (block) => (isUtf8(block) ? block : firstBadUtf8Byte(block)),
};

/** Decoding marks a bad byte with U+FFFD, which the text may also hold rightly: as the bytes EF BF BD. */
function firstBadUtf8Byte(block: Buffer): number {
  const text = block.toString("utf8");
  let offset = 0;
  let from = 0;
  for (;;) {
    const at = text.indexOf("\uFFFD", from);
    if (at === -1) return block.length;
    offset += Buffer.byteLength(text.slice(from, at));
    const rightful = block[offset] === 0xef && block[offset + 1] === 0xbf && block[offset + 2] === 0xbd;
    if (!rightful) return offset;
    offset += 3;
    from = at + 1;
  }
}

function utf16(bigEndian: boolean): BlockCodec {
  const highByte = bigEndian ? 0 : 1;
  return {
    wholeLength(bytes) {
      const even = bytes.length - (bytes.length % 2);
      const last = bytes[even - 2 + highByte] ?? 0;
      return last >= 0xd8 && last <= 0xdb ? even - 2 : even;
    },
    decode(block) {
      const odd = block.length % 2 === 1;
      const whole = odd ? block.subarray(0, -1) : block;
      const text = (bigEndian ? Buffer.from(whole).swap16() : whole).toString("utf16le");
      const lone = text.search(/\p{Surrogate}/u);
      if (lone !== -1) return lone * 2;
      return odd ? whole.length : Buffer.from(text, "utf8");
    },
  };
}

/**
 * Any encoding of iconv-lite. Blocks end on a line feed: no multi-byte encoding has it inside a character,
 * so that each block decodes by itself and a bad one can be searched byte by byte.
 */
function iconvCodec(encoding: string): BlockCodec {
  const lineFeed = iconv.encode("\n", encoding, { addBOM: false });
  const carriageReturn = iconv.encode("\r", encoding, { addBOM: false });
  const lastAligned = (bytes: Buffer, unit: Buffer): number => {
    let at = bytes.lastIndexOf(unit);
    while (at > 0 && at % unit.length !== 0) at = bytes.lastIndexOf(unit, at - 1);
    return at < 0 || at % unit.length !== 0 ? 0 : at + unit.length;
  };
  return {
    wholeLength: (bytes) => lastAligned(bytes, lineFeed) || lastAligned(bytes, carriageReturn),
    decode(block) {
      const text = iconv.decode(block, encoding, { stripBOM: false });
      if (text.includes("\uFFFD")) {
        const bad = firstBadByte(block, encoding);
        if (bad !== null) return bad;
      }
      return Buffer.from(text, "utf8");
    },
  };
}

/** Feeds a decoder byte by byte; U+FFFD is right only where the bytes are this encoding's own form of it. */
function firstBadByte(block: Buffer, encoding: string): number | null {
  const rightful = iconv.encode("\uFFFD", encoding, { addBOM: false });
  const decoder = iconv.getDecoder(encoding, { stripBOM: false });
  let start = 0;
  for (let index = 0; index < block.length; index++) {
    const text = decoder.write(block.subarray(index, index + 1));
    if (text === "") continue;
    if (text.includes("\uFFFD") && !block.subarray(start, index + 1).equals(rightful)) return start;
    start = index + 1;
  }
  return decoder.end()?.includes("\uFFFD") === true ? start : null;
}

function codecFor(encoding: string): BlockCodec {
  if (encoding === "utf-8") return utf8;
  if (encoding === "utf-16le" || encoding === "utf-16be") return utf16(encoding === "utf-16be");
  return iconvCodec(encoding);
}

/**
 * Turns a file's bytes into UTF-8 without a byte order mark, strictly: bytes that are no character of the
 * encoding throw {@link UndecodableBytes} instead of becoming U+FFFD.
 *
 * `encoding` is a name that `settleEncoding` returned. Chunks may be cut anywhere; those that come out end
 * on whole characters. UTF-8 passes through without a copy, checked.
 */
export async function* toUtf8(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  encoding: string,
  path: string,
): AsyncGenerator<Buffer> {
  const codec = codecFor(encoding);
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;

  const decode = (block: Buffer): Buffer => {
    const decoded = codec.decode(block);
    if (typeof decoded === "number") throw undecodable(codec, block, decoded, offset);
    const out = offset === 0 ? withoutMark(decoded) : decoded;
    offset += block.length;
    return out;
  };

  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const length = codec.wholeLength(bytes);
    if (length > 0) yield decode(bytes.subarray(0, length));
    rest = bytes.subarray(length);
    if (rest.length > MAX_RECORD_BYTES) throw lineTooLong(path, offset);
  }
  if (rest.length > 0) yield decode(rest);
}

function undecodable(codec: BlockCodec, block: Buffer, bad: number, offset: number): UndecodableBytes {
  const before = codec.decode(block.subarray(0, bad));
  const lineFeeds = typeof before === "number" ? 0 : countLineFeeds(before);
  const lineStart = bad === 0 ? 0 : block.lastIndexOf(10, bad - 1) + 1;
  const sample = block.subarray(lineStart, lineStart + SAMPLE_BYTES);
  return new UndecodableBytes(offset + bad, block[bad] ?? 0, lineFeeds, sample);
}

function lineTooLong(path: string, offset: number): UsageError {
  return inputError(
    "record_too_large",
    `${path}: the line that starts at byte ${String(offset)} is longer than ${String(MAX_RECORD_BYTES)} bytes.`,
    "Check that the file has line breaks and that `input.encoding` is right.",
  );
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}
