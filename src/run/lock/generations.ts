import type { LockFiles } from "./lock-folder.js";
import { formatHolder, parseHolder, type LockHolder } from "./lock-holder.js";

/**
 * The protocol of the run lock. A lock is a folder of generations, files named 1, 2, 3 and so on:
 *
 * 1. Whoever is named in the newest generation holds the lock; nobody does when it says "released".
 * 2. To take the lock, to give a sign of life and to release it are one step: making the next generation. A file
 *    is made once, so of all who try, one succeeds, and a heartbeat beats whoever thought the holder dead.
 * 3. Only generations below the newest two are removed, so numbers never start again, and a listing that is not
 *    atomic still shows one of the two.
 * 4. From 3: a process that slept since it saw the newest generation can make an old one again, but never a newer
 *    one than the newest. So who made a generation reads again who is named in the newest.
 */
export interface Newest {
  /** 0 when there is none, and for a lock file of the version before. */
  readonly generation: number;
  /** null: nobody holds the lock. */
  readonly holder: LockHolder | null;
}

export function readNewest(files: LockFiles): Newest {
  for (let attempt = 1; ; attempt++) {
    const generations = files.list().map(generationOf).filter(Number.isInteger);
    if (generations.length === 0) return { generation: 0, holder: null };
    const generation = Math.max(...generations);
    const text = files.read(String(generation));
    // gone: two newer ones are there by now, unless the disk is at odds with itself
    if (text !== null || attempt === 10) return { generation, holder: parseHolder(text ?? "", generation) };
  }
}

/** Takes the lock if nobody holds it or `mayReplace` says so of the holder. Returns who holds it then. */
export function tryToTake(
  files: LockFiles,
  own: LockHolder,
  mayReplace: (holder: LockHolder) => boolean,
): Newest {
  const { generation, holder } = readNewest(files);
  if (holder !== null && !mayReplace(holder)) return { generation, holder };
  if (generation === 0) files.open();
  files.create(String(generation + 1), formatHolder(own));
  const newest = readNewest(files);
  if (newest.holder?.nonce === own.nonce) clear(files, newest.generation);
  return newest;
}

/** Removes old generations, and what killed processes left half made. Only for the newest one's maker. */
export function clear(files: LockFiles, newest: number): void {
  for (const name of files.list()) {
    if (name.endsWith(".tmp") || generationOf(name) < newest - 1) files.remove(name);
  }
}

function generationOf(name: string): number {
  return /^\d+$/.test(name) ? Number(name) : NaN;
}
