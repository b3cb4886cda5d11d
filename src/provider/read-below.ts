import { constants, type BigIntStats } from "node:fs";
import { lstat, open, realpath, stat, type FileHandle } from "node:fs/promises";
import { dirname, isAbsolute, relative, sep } from "node:path";

/** Why a file is not read. `outside` says nothing of what is elsewhere, nor whether something is there. */
export type NotRead = "outside" | "missing" | "unreadable" | "no file" | "too large";

/**
 * Reads a file that lies below a folder: by its real path, whatever links and `..` lead to it, and of the file
 * that was opened, not of one that took its name meanwhile.
 */
export async function readBelow(file: string, root: string, belowBytes: number): Promise<Buffer | NotRead> {
  const realRoot = await realpath(root).catch(() => root);
  if (!isBelow(file, root) && !isBelow(file, realRoot)) return "outside";
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // a pipe would be waited for
  } catch {
    return await whyNotOpened(file, realRoot);
  }
  try {
    const found = await handle.stat({ bigint: true });
    const real = await realpath(file).catch(() => null);
    const there = real === null ? null : await stat(real, { bigint: true }).catch(() => null);
    if (real === null || !isBelow(real, realRoot) || !isSame(found, there)) return "outside";
    if (!found.isFile()) return "no file";
    if (found.size >= belowBytes) return "too large";
    return await handle.readFile().catch(() => "unreadable" as const);
  } finally {
    await handle.close();
  }
}

async function whyNotOpened(file: string, realRoot: string): Promise<NotRead> {
  const real = await realpath(file).catch(() => null);
  if (real !== null) return isBelow(real, realRoot) ? "unreadable" : "outside";
  // Nothing but missing folders may stand between it and a folder that is surely below.
  for (let path = file; ; path = dirname(path)) {
    if (await lstat(path).catch(() => null)) return "outside"; // a link to nowhere
    const folder = await realpath(dirname(path)).catch(() => null);
    if (folder !== null) return folder === realRoot || isBelow(folder, realRoot) ? "missing" : "outside";
  }
}

function isSame(one: BigIntStats, other: BigIntStats | null): boolean {
  return other !== null && one.ino === other.ino && one.dev === other.dev;
}

function isBelow(file: string, folder: string): boolean {
  const path = relative(folder, file);
  return path !== "" && path !== ".." && !path.startsWith(`..${sep}`) && !isAbsolute(path);
}
