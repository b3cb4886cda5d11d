import { hasEnded } from "../process-identity.js";
import type { WorkerReport } from "../queue/registry.js";

/** After so long without a sign of life a worker no longer counts as there. */
const SILENT_MS = 10_000;
/** So long must it have been silent, and without a connection, before its rows are given to others. */
const DEAD_MS = 25_000;
/** And it must have been looked for so often: a coordinator that was blocked itself has seen nothing. */
const LOOKS = 4;

interface Sighting {
  report: WorkerReport;
  /** On this process's own clock, which never jumps. */
  sinceMs: number;
  looks: number;
}

/**
 * Tells workers that live from those that died, by what the coordinator sees itself.
 *
 * *there*: its report changed lately. *silent*: it did not; its process may be blocked or cut off, and its
 * locks still hold. *dead*: its process on this machine has ended, or it is silent for long and the server
 * has no connection of it. A worker that is merely frozen keeps its connection, so it is never called dead.
 */
export class WorkerWatch {
  readonly #sightings = new Map<string, Sighting>();

  /** Takes in what a look at the server found. `nowMs` is of a clock that never jumps. */
  look(reports: readonly WorkerReport[], nowMs: number): void {
    const listed = new Set(reports.map(({ workerId }) => workerId));
    for (const workerId of this.#sightings.keys()) {
      if (!listed.has(workerId)) this.#sightings.delete(workerId);
    }
    for (const report of reports) {
      const sighting = this.#sightings.get(report.workerId);
      if (sighting === undefined || sighting.report.beat !== report.beat) {
        this.#sightings.set(report.workerId, { report, sinceMs: nowMs, looks: 1 });
      } else {
        sighting.looks++;
      }
    }
  }

  /** After an interruption, silence so far says nothing. */
  reset(nowMs: number): void {
    for (const sighting of this.#sightings.values()) {
      sighting.sinceMs = nowMs;
      sighting.looks = 0;
    }
  }

  there(nowMs: number): WorkerReport[] {
    return [...this.#sightings.values()]
      .filter(({ sinceMs, report }) => nowMs - sinceMs < SILENT_MS && !isProcessGone(report))
      .map(({ report }) => report);
  }

  /** Whether to ask the server for its connections. */
  hasSuspects(nowMs: number): boolean {
    return [...this.#sightings.values()].some((sighting) => isSuspect(sighting, nowMs));
  }

  /** `connections`: names of those that the server has; null when it does not tell. */
  dead(nowMs: number, connections: ReadonlySet<string> | null): WorkerReport[] {
    return [...this.#sightings.values()]
      .filter((sighting) => {
        const { report } = sighting;
        if (isProcessGone(report)) return true;
        if (!isSuspect(sighting, nowMs) || report.connectionName === null) return false;
        return connections !== null && !connections.has(report.connectionName);
      })
      .map(({ report }) => report);
  }
}

function isProcessGone({ process }: WorkerReport): boolean {
  return process !== null && hasEnded(process);
}

function isSuspect({ sinceMs, looks }: Sighting, nowMs: number): boolean {
  return nowMs - sinceMs >= DEAD_MS && looks >= LOOKS;
}
