import type { ProtocolQueue } from "../../../src/protocol/effects.js";
import type { Lease } from "../../../src/protocol/events.js";
import { MemoryHub } from "../../../src/protocol/memory-hub.js";

interface QueueState {
  waiting: Lease[];
  claimed: Lease[];
}

export type Restart = "whole" | "behind" | "empty";

/** A queue server that loses its last second, is emptied, restarts, freezes: hub and queue in one. */
export class SimServer {
  downUntil = 0;
  frozenUntil = 0;
  hub: MemoryHub;
  /** Changes with each restart: requests of older connections are not answered. */
  generation = 1;
  #queue: QueueState = { waiting: [], claimed: [] };
  #kept: { hub: MemoryHub; queue: QueueState };
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.hub = this.#newHub();
    this.#kept = this.#copy();
  }

  /** The leases of the last put. */
  #lastPut: readonly Lease[] = [];

  readonly queue = {
    put: (leases: readonly Lease[]): void => {
      this.#lastPut = leases;
      for (const lease of leases) if (this.#find(lease) === "gone") this.#queue.waiting.push(lease);
    },
    claim: (): Lease | null => {
      const lease = this.#queue.waiting.shift() ?? null;
      if (lease !== null) this.#queue.claimed.push(lease);
      return lease;
    },
    complete: (lease: Lease): void => {
      this.#queue.claimed = this.#queue.claimed.filter((other) => !isSame(other, lease));
    },
    state: (lease: Lease): "waiting" | "claimed" | "gone" => this.#find(lease),
    remove: (leases: readonly Lease[]): void => {
      this.#queue.waiting = this.#queue.waiting.filter(
        (other) => !leases.some((lease) => isSame(other, lease)),
      );
    },
    drain: (): void => {
      this.#queue.waiting = [];
    },
    /** A client may send a command again whose answer it did not get. */
    repeatPut: (): void => this.queue.put(this.#lastPut),
    /** What BullMQ's check for stalled jobs does, were it to run: the lease that was claimed first waits again. */
    repeatClaimed: (): void => {
      const lease = this.#queue.claimed.shift();
      if (lease !== undefined) this.#queue.waiting.unshift(lease);
    },
  } satisfies ProtocolQueue & Record<string, unknown>;

  isAway(now: number): boolean {
    return this.downUntil > now || this.frozenUntil > now;
  }

  /** What its append-only file has by now. */
  save(): void {
    this.#kept = this.#copy();
  }

  restart(how: Restart): void {
    this.generation++;
    if (how === "whole") return;
    if (how === "empty") {
      this.hub = this.#newHub();
      this.#queue = { waiting: [], claimed: [] };
      this.save();
      return;
    }
    this.hub = this.#kept.hub.copy();
    this.#queue = { waiting: [...this.#kept.queue.waiting], claimed: [...this.#kept.queue.claimed] };
  }

  #newHub(): MemoryHub {
    return new MemoryHub(() => `${this.#name}-${this.generation}`);
  }

  #find(lease: Lease): "waiting" | "claimed" | "gone" {
    if (this.#queue.waiting.some((other) => isSame(other, lease))) return "waiting";
    return this.#queue.claimed.some((other) => isSame(other, lease)) ? "claimed" : "gone";
  }

  #copy(): { hub: MemoryHub; queue: QueueState } {
    const { waiting, claimed } = this.#queue;
    return { hub: this.hub.copy(), queue: { waiting: [...waiting], claimed: [...claimed] } };
  }
}

function isSame(a: Lease, b: Lease): boolean {
  return a.number === b.number && a.fence === b.fence;
}
