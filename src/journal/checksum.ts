import { crc32 } from "node:zlib";

const BEFORE = ',"crc":"';
const AFTER = '"}';
const DIGITS = 8;
const BEFORE_BYTES = Buffer.from(BEFORE);
const AFTER_BYTES = Buffer.from(AFTER);
const COMMA = 0x2c;
const BRACE = 0x7d;
/** What a checksum adds to a line, its closing brace included. */
export const CHECKSUM_BYTES = BEFORE.length + DIGITS + AFTER.length;

/**
 * Ends a JSON object with a checksum of what stands before it: the object's text is in the buffer from `start`, and its
 * closing brace would stand at `braceAt`. Returns where the line ends.
 */
export function sealLine(buffer: Buffer, start: number, braceAt: number): number {
  const digits = hexOf(buffer.subarray(start, braceAt));
  return braceAt + buffer.write(`${BEFORE}${digits}${AFTER}`, braceAt, "latin1");
}

/** Whether a line ends with the checksum of what stands before it. */
export function isSealed(line: Buffer): boolean {
  const braceAt = line.length - CHECKSUM_BYTES;
  const digitsAt = braceAt + BEFORE.length;
  return (
    braceAt > 0 &&
    has(line, BEFORE_BYTES, braceAt) &&
    has(line, AFTER_BYTES, digitsAt + DIGITS) &&
    numberAt(line, digitsAt) === crc32(line.subarray(0, braceAt))
  );
}

/** The object's text of a sealed line, without the checksum. */
export function unsealedText(line: Buffer): string {
  const braceAt = line.length - CHECKSUM_BYTES;
  // Decoded in place: a copy of each line, or a member more in each object, would cost as much as the checksum.
  line[braceAt] = BRACE;
  const text = line.toString("utf8", 0, braceAt + 1);
  line[braceAt] = COMMA;
  return text;
}

function has(line: Buffer, bytes: Buffer, start: number): boolean {
  for (let at = 0; at < bytes.length; at++) if (line[start + at] !== bytes[at]) return false;
  return true;
}

/** The number of eight hexadecimal digits; NaN when there are others. */
function numberAt(line: Buffer, start: number): number {
  let value = 0;
  for (let at = start; at < start + DIGITS; at++) {
    const byte = line[at] ?? 0;
    if (byte >= 48 && byte <= 57) value = value * 16 + byte - 48;
    else if (byte >= 97 && byte <= 102) value = value * 16 + byte - 87;
    else return Number.NaN;
  }
  return value;
}

function hexOf(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(DIGITS, "0");
}
