import type { JournalEvent, Lease } from "./events.js";
import type { Awaitable, Hub } from "./hub.js";

/**
 * What the protocol asks of the world. A process of the protocol is a generator: each `yield` is one effect, what it comes to
 * is sent back in, and between two effects anything may happen. So the same code runs in the program, where a driver
 * carries effects out, and under simulation, where faults strike between every two.
 */
export type Effect =
  /** Appends to the journal. What was appended survives the death of the process; flushed, also a power cut. */
  | { readonly kind: "write"; readonly events: readonly WrittenEvent[] }
  /** All that was written is on disk. */
  | { readonly kind: "flush" }
  /** One step on the server; throws Unanswered. */
  | { readonly kind: "hub"; readonly step: (hub: Hub) => Awaitable<unknown> }
  /** One step on the queue of leases; throws Unanswered. */
  | { readonly kind: "queue"; readonly step: (queue: ProtocolQueue) => Awaitable<unknown> }
  /** What other coordinators of the run have written since it was last asked: a replaced one writes what its calls bring. */
  | { readonly kind: "merge" }
  /** Whether the run lock is this coordinator's, read now. */
  | { readonly kind: "lock" }
  /** Milliseconds, or until the process is woken. */
  | { readonly kind: "sleep"; readonly ms: number };

/** `text`: the line as it came, without the braces' first; absent: it is made from the event. */
export interface WrittenEvent {
  readonly event: JournalEvent;
  readonly text?: string;
}

/** Where a line stands in the journal. */
export interface LinePlace {
  readonly offset: number;
  readonly length: number;
}

export interface PlacedEvent extends LinePlace {
  readonly event: JournalEvent;
}

/** What the protocol asks of the queue of leases. A claimed lease is ended by whoever claimed it. */
export interface ProtocolQueue {
  put(leases: readonly Lease[]): Awaitable<void>;
  claim(): Awaitable<Lease | null>;
  /** The worker has done with it. */
  complete(lease: Lease): Awaitable<void>;
  /** gone: ended, or lost. */
  state(lease: Lease): Awaitable<"waiting" | "claimed" | "gone">;
  remove(leases: readonly Lease[]): Awaitable<void>;
  /** Removes all that wait. */
  drain(): Awaitable<void>;
}

export type Steps<T = void> = Generator<Effect, T, unknown>;

export function* write(events: readonly WrittenEvent[]): Steps<readonly LinePlace[]> {
  if (events.length === 0) return [];
  return (yield { kind: "write", events }) as readonly LinePlace[];
}

export function* flush(): Steps {
  yield { kind: "flush" };
}

export function* onHub<T>(step: (hub: Hub) => Awaitable<T>): Steps<T> {
  return (yield { kind: "hub", step }) as T;
}

export function* onQueue<T>(step: (queue: ProtocolQueue) => Awaitable<T>): Steps<T> {
  return (yield { kind: "queue", step }) as T;
}

export function* holdsLock(): Steps<boolean> {
  return (yield { kind: "lock" }) as boolean;
}

export function* merge(): Steps<readonly PlacedEvent[]> {
  return (yield { kind: "merge" }) as readonly PlacedEvent[];
}

export function* sleep(ms: number): Steps {
  yield { kind: "sleep", ms };
}
