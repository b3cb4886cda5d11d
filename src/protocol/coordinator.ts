import { CoordinatorState, type CoordinatorOptions, type CoordinatorWorld } from "./coordinator-state.js";
import { holdsLock, onHub, sleep, type Steps } from "./effects.js";
import { isSameFence, Unanswered, type HubView } from "./hub.js";
import { putLeases } from "./put-leases.js";
import { readOutboxes } from "./read-outboxes.js";
import { shareSlots } from "./share-slots.js";
import { takeOver } from "./takeover.js";
import { watchWorkers } from "./watch-workers.js";

/** Between two looks at the outboxes: when there was something in them, and else. */
const BUSY_MS = 5;
const IDLE_MS = 100;

/**
 * The one process that decides what is called in a run and writes what came of it.
 *
 * It *takes over* (claims a fence; nothing is put), *coordinates* (puts leases, reads outboxes, watches workers, shares slots),
 * *winds down* (shares are zero: calls under way may end), or is *stopped*: its work is done, or another holds the run lock.
 */
export class Coordinator {
  readonly state: CoordinatorState;
  #nextLookAt = 0;
  #lastLookAt = 0;

  constructor(options: CoordinatorOptions, world: CoordinatorWorld) {
    this.state = new CoordinatorState(options, world);
  }

  /** Until it is stopped. */
  *coordinate(): Steps {
    const { state } = this;
    yield* takeOver(state);
    while (state.stopped === null) {
      try {
        const read = yield* this.#turn();
        yield* sleep(this.#restMs(read));
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        this.#nextLookAt = 0;
        yield* sleep(state.options.timing.retryMs);
      }
    }
  }

  /** Looks after the run lock: without it nothing starts, and when it is another's this coordinator ends. */
  *keepLock(): Steps {
    const { state } = this;
    while (state.stopped === null) {
      const askedAt = state.world.now();
      if (!(yield* holdsLock())) {
        state.stopped = "replaced";
        return;
      }
      state.verifiedAt = askedAt;
      yield* sleep(state.options.timing.heartbeatMs * 2);
    }
  }

  /** Nothing starts elsewhere any more, and everything that workers did so far is journaled. Throws Unanswered. */
  *windDown(): Steps {
    this.state.isWindingDown = true;
    if (!this.state.isReady || this.state.stopped !== null) return;
    yield* shareSlots(this.state);
    yield* readOutboxes(this.state);
  }

  /** Calls under way elsewhere that nobody has told the end of. */
  get remoteCalls(): number {
    let calls = 0;
    for (const worker of this.state.joined) calls += this.state.ledger.openCount(worker);
    return calls;
  }

  *#turn(): Steps<number> {
    const { state } = this;
    if (state.world.now() >= this.#nextLookAt) yield* this.#look();
    if (state.stopped !== null || !state.isReady) return 0;
    const read = state.seen.size === 0 && state.ledger.shares.size <= 1 ? 0 : yield* readOutboxes(state);
    if (state.hasSpoiled) {
      yield* takeOver(state);
      return read;
    }
    const put = yield* putLeases(state);
    return read + put;
  }

  *#look(): Steps {
    const { state } = this;
    const { world, options } = state;
    const view: HubView = yield* onHub((hub) => hub.look());
    if (!isSameFence(view.fence, state.current) || view.server !== state.current?.server) {
      if (yield* this.#isReplaced(view)) return;
      world.warn("The queue server was changed or started again: comparing it with the journal", {});
      yield* takeOver(state);
      return;
    }
    this.#passOverGap();
    yield* state.mergeOthers();
    yield* watchWorkers(state, view);
    yield* shareSlots(state);
    this.#nextLookAt = world.now() + options.timing.heartbeatMs;
  }

  /** Of two coordinators with one fence after the other, the run lock decides who goes on. */
  *#isReplaced({ fence }: HubView): Steps<boolean> {
    const { state } = this;
    const current = state.current?.number ?? 0;
    if (fence === null || fence.number < current) return false;
    if (yield* holdsLock()) return false;
    state.stopped = "replaced";
    return true;
  }

  /** A coordinator that was blocked, or without its server, has seen no silence. */
  #passOverGap(): void {
    const { state } = this;
    const now = state.world.now();
    const gap = now - this.#lastLookAt;
    if (gap > 3 * state.options.timing.heartbeatMs) {
      for (const sign of state.seen.values()) sign.at = Math.min(now, sign.at + gap);
    }
    this.#lastLookAt = now;
  }

  #restMs(read: number): number {
    if (read > 0 || this.state.unput.length > 0) return BUSY_MS;
    const untilLook = Math.max(0, this.#nextLookAt - this.state.world.now());
    return this.state.seen.size === 0 ? untilLook : Math.min(IDLE_MS, untilLook);
  }
}
