import type { FileHandle } from "node:fs/promises";

const FIRST_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/** Sees each whole line, without its newline. The bytes are good until it returns. */
export type OnLine = (line: Buffer, offset: number) => void;

/**
 * Reads whole lines from an offset on. Returns where they end, and how many bytes of a last line without its newline lie
 * behind: what a crash leaves, or a writer has not written to its end.
 */
export async function readLines(
  file: FileHandle,
  offset: number,
  onLine: OnLine,
): Promise<{ end: number; tornBytes: number }> {
  let buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  let filled = 0;
  let position = offset;
  for (;;) {
    if (filled === buffer.length) buffer = Buffer.concat([buffer], 2 * filled);
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) return { end: position, tornBytes: filled };
    const data = buffer.subarray(0, filled + bytesRead);
    let start = 0;
    for (let end = data.indexOf(NEWLINE, filled); end !== -1; end = data.indexOf(NEWLINE, start)) {
      onLine(data.subarray(start, end), position + start);
      start = end + 1;
    }
    data.copy(buffer, 0, start);
    filled = data.length - start;
    position += start;
  }
}
