import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { hasEnded, ownIdentity } from "../../process-identity.js";

/** Who holds, or held, a run's lock. */
export interface LockHolder {
  /** Unique to one taking of the lock; empty when the file cannot be read, or is of the version before. */
  readonly nonce: string;
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one with the same pid (Linux only). */
  readonly startTicks: string | null;
  /** Boot and PID namespace; null where there is no way to tell them. Only there does `pid` mean anything. */
  readonly space: string | null;
  readonly startedAt: string;
  /** The generation, which grows with every heartbeat. */
  readonly beat: number;
}

/** This process, about to take a lock. */
export function ownHolder(): LockHolder {
  return {
    nonce: randomUUID(),
    pid: process.pid,
    host: hostname(),
    startTicks: ownIdentity()?.startTicks ?? null,
    space: ownSpace(),
    startedAt: new Date().toISOString(),
    beat: 0,
  };
}

/** The text of a generation file; `released` says that nobody holds the lock any more. */
export function formatHolder(holder: LockHolder, released = false): string {
  const { beat: _inTheName, ...record } = holder;
  return `${JSON.stringify(released ? { ...record, released } : record)}\n`;
}

/**
 * Reads a generation file. null: the lock was released. A text that is not whole has a holder of whom nothing
 * is known. The version before wrote no space: a pid of its host is taken for one of ours.
 */
export function parseHolder(text: string, beat: number): LockHolder | null {
  const known = parseObject(text);
  if (known.released === true) return null;
  const { nonce = "", pid = 0, host = "", startTicks = null, startedAt = "" } = known;
  const { space = host === hostname() ? ownSpace() : null } = known;
  return { nonce, pid, host, startTicks, space, startedAt, beat };
}

function parseObject(text: string): Partial<LockHolder> & { readonly released?: boolean } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** Whether the holder's process lives. Unknown: it cannot be asked from here, so that its heartbeat decides. */
export function vitality(holder: LockHolder): "lives" | "gone" | "unknown" {
  const { pid, startTicks, space } = holder;
  if (space === null || space !== ownSpace()) return "unknown";
  if (startTicks !== null) return hasEnded({ pid, startTicks, space }) ? "gone" : "lives";
  return isPidInUse(pid) ? "unknown" : "gone"; // in use by the holder, or by a later process
}

export function describeHolder(holder: LockHolder): string {
  if (holder.host === "") return "an unknown process";
  const isNear = holder.space !== null && holder.space === ownSpace();
  return isNear ? `process ${holder.pid}` : `process ${holder.pid} on ${holder.host}`;
}

/** Without PID namespaces, a host name is enough. On Linux it is not: containers can share it. */
function ownSpace(): string | null {
  if (process.platform === "linux") return ownIdentity()?.space ?? null;
  return `${process.platform} ${hostname()}`;
}

function isPidInUse(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
