import type { Lease } from "../protocol/events.js";
import type { ProtocolQueue } from "../protocol/effects.js";
import type { ClaimedLease, LeaseQueue } from "./lease-queue.js";

export interface ProtocolLeasesOptions {
  readonly queue: LeaseQueue;
  /** How a lease travels; null: it need not, since its rows are known here. */
  readonly encode: ((lease: Lease) => string) | null;
  /** The lease of a name or of what travelled; null: it is none that may be worked on. */
  readonly decode: (fence: number, number: number, text: string | null) => Lease | null;
  /** Turns what a server that does not answer throws into `Unanswered`. */
  readonly asUnanswered: (error: unknown) => unknown;
}

/** The queue of leases as the protocol speaks of it: leases by their numbers. */
export class ProtocolLeases implements ProtocolQueue {
  readonly #options: ProtocolLeasesOptions;
  readonly #claimed = new Map<string, ClaimedLease>();

  constructor(options: ProtocolLeasesOptions) {
    this.#options = options;
  }

  async put(leases: readonly Lease[]): Promise<void> {
    const { queue, encode } = this.#options;
    const jobs = leases.map((lease) => ({ id: leaseName(lease), text: encode?.(lease) ?? null }));
    await this.#ask(() => queue.put(jobs));
  }

  /** A lease that cannot be read is ended, and the next one is taken. */
  async claim(): Promise<Lease | null> {
    const { queue, decode } = this.#options;
    for (;;) {
      const claimed = await this.#ask(() => queue.claim());
      if (claimed === null) return null;
      const [fence = 0, number = 0] = claimed.id.split("-").map(Number);
      const lease = decode(fence, number, claimed.text);
      if (lease !== null && lease.fence === fence && lease.number === number) {
        this.#claimed.set(claimed.id, claimed);
        return lease;
      }
      await this.#ask(() => claimed.complete());
    }
  }

  async complete(lease: Lease): Promise<void> {
    const claimed = this.#claimed.get(leaseName(lease));
    if (claimed === undefined) return;
    this.#claimed.delete(leaseName(lease));
    await this.#ask(() => claimed.complete());
  }

  async state(lease: Lease): Promise<"waiting" | "claimed" | "gone"> {
    return await this.#ask(() => this.#options.queue.state(leaseName(lease)));
  }

  async remove(leases: readonly Lease[]): Promise<void> {
    await this.#ask(() => this.#options.queue.remove(leases.map(leaseName)));
  }

  async drain(): Promise<void> {
    await this.#ask(() => this.#options.queue.drain());
  }

  async #ask<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw this.#options.asUnanswered(error);
    }
  }
}

function leaseName({ fence, number }: Lease): string {
  return `${fence}-${number}`;
}
