import { HaltError } from "../errors.js";

/** No room: on the disk, in the user's quota, or within the largest size that a file may have (ulimit -f). */
const FULL_CODES: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export function isDiskFull(error: unknown): boolean {
  return FULL_CODES.has((error as NodeJS.ErrnoException).code);
}

export function journalFailure(cause: NodeJS.ErrnoException): HaltError {
  const isFull = isDiskFull(cause);
  return new HaltError(
    isFull
      ? "The disk of the run directory is full: the journal could not be written."
      : `The journal could not be written: ${cause.message}.`,
    {
      code: isFull ? "disk_full" : "journal_write_failed",
      hint: isFull
        ? "Make room, then resume the run: settled rows are kept."
        : "Remove the cause, then resume the run.",
      cause,
    },
  );
}
