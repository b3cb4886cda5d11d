import type { JournalEvent, WorkerEvent } from "../../../src/protocol/events.js";
import type { ClaimReply, Fence, Hub, StartReply, StartRequest } from "../../../src/protocol/hub.js";
import { LOCAL_WORKER } from "../../../src/protocol/takeover.js";
import type { SimDisk } from "./disk.js";
import type { Engine, SimProcess } from "./engine.js";
import type { Findings } from "./findings.js";
import type { SentCall } from "./provider.js";
import { replaced } from "./ablation.js";

interface Start {
  readonly at: number;
  readonly process: SimProcess;
  readonly row: number;
}

interface WitnessParts {
  readonly engine: Engine;
  readonly disk: SimDisk;
  readonly findings: Findings;
  readonly sendMs: number;
  readonly lockMs: number;
}

/** Sees what happens in all processes, and compares each call that goes out with it. */
export class Witness {
  /** When a row was first known to be settled by the coordinator that has the run lock. */
  readonly recordedAt = new Map<number, number>();
  /** How often a row's request was changed by a retry. */
  readonly versions = new Map<number, number>();
  /** Attempts that may be listed although they were never sent: their process died between mark and call. */
  readonly unsent = new Set<string>();
  /** Attempts whose marks a power cut took: they need not be listed. */
  readonly lostMarks = new Set<string>();
  /** How often a row was all that its process was calling when that died. */
  readonly deathsAlone = new Map<number, number>();
  readonly #parts: WitnessParts;
  /** Attempts whose start stands and whose call has not gone out. */
  readonly #starts = new Map<string, Start>();
  #newest: Fence | null = null;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
  }

  /** A server as a process sees it. */
  watched(hub: Hub, process: SimProcess): Hub {
    return replaced(hub, {
      claim: (fence) => {
        const reply = hub.claim(fence) as ClaimReply;
        if (reply.isClaimed) {
          this.#newest = fence;
          this.#parts.findings.say(`${process.name} claims fence ${fence.number}`);
        }
        return reply;
      },
      start: (worker, request) => {
        const reply = hub.start(worker, request) as StartReply;
        if (reply.isGranted) this.#granted(worker, request, process);
        return reply;
      },
    });
  }

  #granted(worker: string, { lines }: StartRequest, process: SimProcess): void {
    for (const text of lines.texts) {
      if (!text.startsWith('{"event":"started"')) continue;
      this.marked({ worker, ...(JSON.parse(text) as WorkerEvent) }, process);
    }
  }

  /** A mark stands: on the server, or on the disk. */
  marked(event: WorkerEvent, process: SimProcess): void {
    if (event.event !== "started") return;
    const { now } = this.#parts.engine;
    for (const [row, key] of event.rows) {
      const name = `${event.worker}:${key}`;
      if (!process.isAlive) this.unsent.add(name);
      else if (!this.#starts.has(name)) this.#starts.set(name, { at: now, process, row });
    }
    if (!event.worker.startsWith(LOCAL_WORKER) && event.fence !== this.#newest?.number)
      this.#parts.findings.flag(
        "two coordinators",
        `a start under fence ${event.fence} of ${this.#newest?.number}`,
      );
  }

  /** Its worker says that no call follows. */
  voided(worker: string, keys: readonly number[]): void {
    for (const key of keys) this.#starts.delete(`${worker}:${key}`);
  }

  /** A call goes out. Returns whether the run's promises hold for it. */
  sent(key: string, row: number, process: SimProcess): boolean {
    const { engine, disk, findings, sendMs } = this.#parts;
    const startedAt = this.#starts.get(key)?.at ?? engine.now;
    this.#starts.delete(key);
    if (this.#isStray(key, process)) return false;
    const recordedAt = this.recordedAt.get(row) ?? Infinity;
    if (recordedAt < startedAt || recordedAt < engine.now - 2 * sendMs)
      findings.flag(
        "called again",
        `row ${row} was recorded at ${recordedAt}, its start granted at ${startedAt}`,
      );
    if (key.startsWith(LOCAL_WORKER) && disk.lock?.holder !== process)
      findings.flag(
        "two coordinators",
        `${process.name} calls row ${row}, ${disk.lock?.holder.name} has the run lock`,
      );
    return true;
  }

  /** Whose lock was taken by force knows of it once he has looked at it again. Whoever used force was told so. */
  #isStray(key: string, process: SimProcess): boolean {
    const { engine, disk, lockMs } = this.#parts;
    const robbedAt = disk.robbedAt.get(process);
    return robbedAt !== undefined && key.startsWith(LOCAL_WORKER) && engine.now - robbedAt < 1.1 * lockMs;
  }

  recorded(row: number): void {
    const { engine, findings } = this.#parts;
    if (this.recordedAt.has(row)) return;
    this.recordedAt.set(row, engine.now);
    findings.say(`the result of row ${row} is recorded`);
  }

  /** A process has died, or the run is over. `voids`: attempts whose events nobody has read. */
  over(process: SimProcess, voids: readonly string[]): void {
    for (const [key, start] of this.#starts) if (start.process === process) this.unsent.add(key);
    for (const key of voids) this.unsent.add(key);
  }

  /** A process has ended, in whatever way. `calls`: all that it ever made. */
  died(process: SimProcess, calls: readonly SentCall[]): void {
    const { now } = this.#parts.engine;
    const marked = [...this.#starts.values()].filter((start) => start.process === process);
    const flying = new Set(calls.filter(({ endsAt }) => endsAt > now).map(({ row }) => row));
    for (const row of new Set([...calls, ...marked].map((call) => call.row)))
      if (flying.size === 0 || (flying.size === 1 && flying.has(row)))
        this.deathsAlone.set(row, (this.deathsAlone.get(row) ?? 0) + 1);
  }

  /** What a crash took from a disk. */
  lost(events: readonly JournalEvent[]): void {
    for (const event of events) {
      if (event.event === "settled") this.recordedAt.delete(event.rowIndex);
      if (event.event === "retry")
        for (const row of event.rowIndexes) this.versions.set(row, this.version(row) - 1);
      // Of workers elsewhere nothing is lost: they keep it until it is flushed.
      if (event.event === "started" && event.seq === undefined)
        for (const [, key] of event.rows) this.lostMarks.add(`${event.worker}:${key}`);
    }
  }

  /** A row is called again by the user's wish, with another request. */
  retried(row: number): void {
    this.recordedAt.delete(row);
    this.versions.set(row, this.version(row) + 1);
  }

  version(row: number): number {
    return this.versions.get(row) ?? 0;
  }
}
