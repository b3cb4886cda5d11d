import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { UsageError } from "./errors.js";

/** Who holds a lock file. `startTicks` tells a process from a later one with the same pid (Linux only). */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly startTicks: string | null;
}

/**
 * A lock held by a living process, kept in a file. A process that died, however, holds nothing: the next
 * one takes over at once, with no waiting time.
 */
export interface ProcessLock {
  release(): void;
}

/**
 * Takes the lock file, or returns the living holder's description when somebody has it.
 *
 * On another machine's lock (a shared file system) the holder counts as living: whether it is cannot be
 * seen from here.
 */
export function tryProcessLock(path: string): ProcessLock | { readonly heldBy: string } {
  const own: Holder = { pid: process.pid, host: hostname(), startTicks: startTicksOf(process.pid) };
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  writeFileSync(temporary, JSON.stringify(own), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (linkIfAbsent(temporary, path)) return { release: () => releaseOwn(path, own) };
      const holder = readHolder(path);
      if (holder === undefined) continue; // released between the two calls
      if (holder !== null && isAlive(holder)) return { heldBy: describe(holder) };
      dropDeadLock(path, holder);
    }
    throw new UsageError(`Could not take the lock ${path}: it changes hands too fast.`, {
      code: "lock_contended",
      hint: "Try again in a moment.",
    });
  } finally {
    unlinkSync(temporary);
  }
}

/** Who holds the lock file right now, or null: nobody, or a process that is gone. Takes nothing. */
export function lockHolder(path: string): string | null {
  const holder = readHolder(path);
  return holder && isAlive(holder) ? describe(holder) : null;
}

function linkIfAbsent(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** undefined: no lock file; null: one that nobody can have written whole, so its writer is dead. */
function readHolder(path: string): Holder | null | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Holder;
    return typeof value.pid === "number" && typeof value.host === "string" ? value : null;
  } catch {
    return null;
  }
}

/** Renaming first makes sure that of two processes that saw the same dead lock only one removes it. */
function dropDeadLock(path: string, seen: Holder | null): void {
  const aside = `${path}.${process.pid}.dead`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const moved = readHolder(aside);
  const isTheOneSeen = JSON.stringify(moved ?? null) === JSON.stringify(seen);
  if (!isTheOneSeen) linkIfAbsent(aside, path); // a living process was faster: give its lock back
  unlinkSync(aside);
}

function releaseOwn(path: string, own: Holder): void {
  const holder = readHolder(path);
  if (holder && holder.pid === own.pid && holder.host === own.host) unlinkSync(path);
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return holder.startTicks === null || startTicksOf(holder.pid) === holder.startTicks;
}

function describe(holder: Holder): string {
  return holder.host === hostname() ? `process ${holder.pid}` : `process ${holder.pid} on ${holder.host}`;
}

/** Field 22 of /proc/<pid>/stat (proc(5)); null where there is no /proc. A zombie counts as gone. */
function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "zombie" : (fields[19] ?? null);
  } catch {
    return null;
  }
}
