/**
 * A place in a run's journal is one number over all of its files: the file's number, then the offset in it. A file has less than
 * 1 TB, and a run less than 8,192 files.
 */
const FILE_BYTES = 2 ** 40;
export const MOST_FILES = 2 ** 13;

export function journalOffset(file: number, offset: number): number {
  return file * FILE_BYTES + offset;
}

export function fileOfOffset(journalOffset: number): { file: number; offset: number } {
  const file = Math.floor(journalOffset / FILE_BYTES);
  return { file, offset: journalOffset - file * FILE_BYTES };
}
