import type { CoordinatorState } from "./coordinator-state.js";
import { holdsLock, onHub, onQueue, sleep, type Steps } from "./effects.js";
import { Unanswered, type Fence } from "./hub.js";
import { readOutboxes } from "./read-outboxes.js";

/**
 * Makes this coordinator the one whose leases are executed: a fence above every known one is journaled, then claimed by one
 * compare-and-set that voids all that earlier ones had put. Until it is done nothing is put.
 */
export function* takeOver(state: CoordinatorState): Steps {
  state.isReady = false;
  let known = 0;
  for (;;) {
    if (state.stopped !== null) return;
    try {
      const reply = yield* claimFence(state, known);
      if (reply === true) break;
      known = reply;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      yield* sleep(state.options.timing.retryMs);
    }
  }
  yield* patiently(state, () => onQueue((queue) => queue.drain()));
  yield* patiently(state, () => readOutboxes(state));
  if (state.stopped !== null) return;
  state.isReady = true;
  state.world.mayOffer();
}

/** true: claimed; else the number of the fence that is there. */
function* claimFence(state: CoordinatorState, known: number): Steps<true | number> {
  const { ledger, options } = state;
  const server = yield* onHub((hub) => hub.server());
  const number = Math.max(ledger.fence, known) + 1;
  yield* state.recordFlushed([{ event: "fence", fence: number }]);
  // Else one that was frozen could read, into a file before its successor's, what comes after that which the successor has read.
  if (!(yield* holdsLock())) {
    state.stopped = "replaced";
    return number;
  }
  const fence: Fence = { number, nonce: options.nonce, server };
  const reply = yield* onHub((hub) => hub.claim(fence));
  if (!reply.isClaimed) return reply.fence;
  // From here on nobody else reads outboxes: all that was acknowledged is in the journal by now.
  yield* state.mergeOthers();
  const isLossy = ledger.server !== null && ledger.server !== server;
  const shares = knownShares(state);
  const suspects = isLossy ? suspectStarts(state, shares) : {};
  const gone = goneWorkers(state, shares);
  const { local } = options;
  yield* state.recordFlushed([
    { event: "fence", fence: number, server, suspects, ...(local === null ? {} : { local }) },
    ...gone.map((worker) => ({ event: "dead", worker }) as const),
  ]);
  state.current = fence;
  enter(state, shares);
  return true;
}

/** Of the run lock's last holder it may be certain that it is dead, and the worker in its process with it. */
function goneWorkers({ ledger, options }: CoordinatorState, shares: ReadonlyMap<string, number>): string[] {
  const { local } = ledger;
  if (local === null || local === options.local || !options.isPredecessorDead || ledger.dead.has(local))
    return [];
  return shares.has(local) || ledger.openCount(local) > 0 ? [local] : [];
}

/** The highest share that each worker may still have. */
function knownShares({ ledger, shares }: CoordinatorState): Map<string, number> {
  const known = new Map(ledger.shares);
  for (const [worker, share] of shares) known.set(worker, Math.max(share, known.get(worker) ?? 0));
  return known;
}

/**
 * A server that lost data may have lost marks: of a worker that never says so, as many as could have been made of all that
 * was put, several calls one after the other.
 */
function suspectStarts(state: CoordinatorState, shares: ReadonlyMap<string, number>): Record<string, number> {
  const { ledger, options } = state;
  let most = 0;
  for (let row = 0; row < options.rows; row++) {
    if (ledger.rows.wasPut(row) && !ledger.rows.isSettled(row))
      most += Math.max(0, options.attempts - ledger.history(row).ended);
  }
  const suspects: Record<string, number> = {};
  for (const [worker, share] of shares)
    if (share > 0 && !ledger.dead.has(worker) && !isLocal(worker)) suspects[worker] = Math.max(share, most);
  return suspects;
}

/** Workers inside coordinators write to their own journals: nothing of theirs is ever on a server. */
export function isLocal(worker: string): boolean {
  return worker.startsWith(LOCAL_WORKER);
}

export const LOCAL_WORKER = "local-";

/** A new fence: who was there before is waited for, and who is silent keeps his slots until his calls have ended. */
function enter(state: CoordinatorState, shares: ReadonlyMap<string, number>): void {
  const { ledger, options, world } = state;
  const { deadMs, callMs, sendMs } = options.timing;
  const now = world.now();
  const isGone = (worker: string): boolean => worker === options.local || ledger.dead.has(worker);
  for (const number of [...state.leases.keys()]) state.dropLease(number);
  state.ended = [];
  state.dropping = [];
  state.shares = new Map();
  state.localShare = 0;
  state.seen.clear();
  state.joined.clear();
  state.awaited.clear();
  const workers = new Set([...shares].filter(([, share]) => share > 0).map(([worker]) => worker));
  for (const { worker } of ledger.openStarts()) workers.add(worker);
  for (const worker of ledger.suspects.keys()) workers.add(worker);
  for (const worker of workers) {
    if (isGone(worker)) continue;
    state.awaited.set(worker, now + (isLocal(worker) ? callMs + sendMs : deadMs));
    const calls = Math.max(shares.get(worker) ?? 0, ledger.openCount(worker));
    state.withheld.set(worker, { calls, until: now + callMs + 2 * sendMs });
  }
  state.noteOldStarts(ledger.openStarts());
}

function* patiently<T>(state: CoordinatorState, steps: () => Steps<T>): Steps {
  while (state.stopped === null) {
    try {
      yield* steps();
      return;
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      yield* sleep(state.options.timing.retryMs);
    }
  }
}
