import type { CoordinatorState } from "../../../src/protocol/coordinator-state.js";
import type { Effect, ProtocolQueue, Steps } from "../../../src/protocol/effects.js";
import type { Hub } from "../../../src/protocol/hub.js";
import type { Ledger } from "../../../src/protocol/ledger.js";
import type { RemoteWorker } from "../../../src/protocol/remote-worker.js";
import type { Timing } from "../../../src/protocol/timing.js";

/** What is carried out in an effect's place, and what it comes to. `thread`: what the process does, in a word. */
export type Around = (effect: Effect, thread: string) => Steps<unknown>;

/** A rule of the protocol, taken away from outside of it: so a schedule shows what the rule is for. */
export interface Ablation {
  /** The server as processes see it. */
  readonly hub?: (hub: Hub) => Partial<Hub>;
  readonly queue?: (queue: ProtocolQueue) => Partial<ProtocolQueue>;
  readonly worker?: (worker: RemoteWorker) => void;
  readonly coordinator?: (state: CoordinatorState) => void;
  /** Also that of the one who reads the journal in the end. */
  readonly ledger?: (ledger: Ledger) => void;
  readonly workerTiming?: (timing: Timing) => Timing;
  /** Made anew for each thread. */
  readonly around?: () => Around;
  readonly isOneFile?: boolean;
  /** BullMQ's check for stalled jobs runs. */
  readonly hasStalledCheck?: boolean;
}

/** An object with some of its methods replaced. */
export function replaced<T extends object>(whole: T, own: Partial<T>): T {
  return new Proxy(whole, {
    get(target, name) {
      const value =
        (own as Record<PropertyKey, unknown>)[name] ?? (target as Record<PropertyKey, unknown>)[name];
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Steps whose effects are carried out in another way. */
export function* rewired(steps: Steps<unknown>, around: Around, thread: string): Steps<unknown> {
  let next = steps.next();
  while (next.done !== true) {
    let value: unknown;
    try {
      value = yield* around(next.value, thread);
    } catch (error) {
      next = steps.throw(error);
      continue;
    }
    next = steps.next(value);
  }
  return next.value;
}
