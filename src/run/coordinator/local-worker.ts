import { randomUUID } from "node:crypto";
import type { CoordinatorState } from "../../protocol/coordinator-state.js";
import type { ProtocolQueue, Steps } from "../../protocol/effects.js";
import { LocalWorker } from "../../protocol/local-worker.js";
import { LOCAL_WORKER } from "../../protocol/takeover.js";
import type { Provider, ProviderError } from "../../provider/provider.js";
import type { Pacer } from "../../worker/pacer.js";
import { RowCaller } from "../../worker/row-caller.js";

export interface LocalWorkerOptions {
  readonly state: CoordinatorState;
  readonly queue: ProtocolQueue;
  readonly provider: Provider;
  readonly pacer: Pacer;
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly onRunError: (error: ProviderError) => void;
  readonly onBug: (error: unknown) => void;
  readonly onAttemptFailed: (error: ProviderError) => void;
  readonly wake: () => void;
}

export function newLocalWorkerId(): string {
  return `${LOCAL_WORKER}${randomUUID()}`;
}

/** The worker in the coordinator's process. */
export class OwnWorker {
  readonly #worker: LocalWorker;
  readonly #caller: RowCaller;

  constructor(id: string, options: LocalWorkerOptions) {
    const { state, queue } = options;
    this.#caller = new RowCaller(
      {
        ...options,
        // What cannot be ended now is ended with the run's queue.
        complete: (lease) => void Promise.resolve(queue.complete(lease)).catch(() => {}),
      },
      () => this.#worker.core,
    );
    this.#worker = new LocalWorker(id, state, state.options.timing, this.#caller);
    state.localWorker = this.#worker.core;
  }

  get inFlight(): number {
    return this.#worker.core.used;
  }

  /** Its processes, to be run side by side. */
  processes(): Steps[] {
    return [this.#worker.serve(), this.#worker.freeSlots(), this.#worker.claimLeases()];
  }

  /** Takes no further row and gives back those that are not being called; calls under way go on. */
  stop(): void {
    this.#worker.stop();
    this.#caller.leave();
  }

  /** Cuts calls under way off. */
  cut(): void {
    this.#caller.cut();
  }
}
