import { readFileSync, readlinkSync } from "node:fs";

/**
 * Which process this is, among all that ever ran on this machine: a pid alone is given out again. `space`
 * names the boot and the pid namespace, since two containers can have the same host name and the same pids.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
  readonly space: string;
}

/** This process; null where there is no /proc to tell by. */
export function ownIdentity(): ProcessIdentity | null {
  const space = ownSpace();
  const startTicks = startTicksOf(process.pid);
  return space === null || startTicks === null ? null : { pid: process.pid, startTicks, space };
}

/** True only when it is certain that the process has ended; false for one elsewhere, whatever became of it. */
export function hasEnded(identity: ProcessIdentity): boolean {
  if (identity.space !== ownSpace()) return false;
  return startTicksOf(identity.pid) !== identity.startTicks;
}

function ownSpace(): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return null;
  }
}

/** Field 22 of /proc/<pid>/stat (proc(5)); null for a process that is gone or a zombie. */
function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
