import type { CoordinatorState } from "./coordinator-state.js";
import { onHub, type Steps } from "./effects.js";
import type { Fence, WorkerCalls } from "./hub.js";

/**
 * Gives the run's slots to its workers: first shares are lowered, then others raised by what is really free. A slot is free when
 * its call has ended, not when its share was lowered; slots of a silent worker are free at its calls' deadline. Shares
 * are journaled before they are raised, since a successor must know them.
 */
export function* shareSlots(state: CoordinatorState): Steps {
  const { options, shares, withheld, world } = state;
  const now = world.now();
  for (const [worker, { until }] of withheld) if (until < now) withheld.delete(worker);
  const here = [...state.joined].sort();
  const wanted = wantedShares(state, here);
  const lowered: Record<string, number> = {};
  for (const worker of new Set([...here, ...shares.keys()]))
    lowered[worker] = Math.min(wanted.get(worker) ?? 0, shares.get(worker) ?? 0);
  const localWanted = options.local === null ? 0 : (wanted.get(options.local) ?? 0);
  state.localShare = Math.min(localWanted, state.localShare);
  const fence = state.current as Fence;
  const calls: WorkerCalls | null =
    Object.keys(lowered).length === 0 ? {} : yield* onHub((hub) => hub.share(fence, lowered));
  if (calls === null) return;
  state.shares = new Map(Object.entries(lowered));
  yield* raise(state, { here, wanted, localWanted, calls });
}

interface Raise {
  readonly here: readonly string[];
  readonly wanted: ReadonlyMap<string, number>;
  readonly localWanted: number;
  readonly calls: WorkerCalls;
}

function* raise(state: CoordinatorState, { here, wanted, localWanted, calls }: Raise): Steps {
  const { options, shares } = state;
  const inUse = (worker: string): number => Math.max(shares.get(worker) ?? 0, calls[worker] ?? 0);
  const localInUse = Math.max(state.localShare, state.localWorker?.used ?? 0);
  const others = [...shares.keys()].map(inUse);
  for (const { calls: count } of state.withheld.values()) others.push(count);
  let room = Math.max(0, options.concurrency - others.reduce((sum, count) => sum + count, localInUse));
  const raised = new Map(shares);
  for (const worker of here) {
    const most = wanted.get(worker) ?? 0;
    const plus = Math.max(0, Math.min(most - inUse(worker), room));
    raised.set(worker, Math.max(shares.get(worker) ?? 0, Math.min(most, inUse(worker) + plus)));
    room -= plus;
  }
  const localMore = Math.min(localWanted - localInUse, room);
  const local = localMore > 0 ? localInUse + localMore : state.localShare;
  const isSame = [...raised].every(([worker, share]) => shares.get(worker) === share);
  if (isSame && local === state.localShare) return;
  yield* journalShares(state, raised, local, calls);
  const fence = state.current as Fence;
  if (!isSame && (yield* onHub((hub) => hub.share(fence, Object.fromEntries(raised)))) === null) return;
  state.shares = raised;
  state.localShare = local;
  state.world.mayOffer();
}

/** What each may have under way, not only its share; and of those that are still awaited, what they had. */
function* journalShares(
  state: CoordinatorState,
  raised: ReadonlyMap<string, number>,
  local: number,
  calls: WorkerCalls,
): Steps {
  const shares: Record<string, number> = {};
  for (const worker of state.awaited.keys()) shares[worker] = state.ledger.shares.get(worker) ?? 0;
  for (const [worker, share] of raised) shares[worker] = Math.max(share, calls[worker] ?? 0);
  if (state.options.local !== null) shares[state.options.local] = local;
  yield* state.recordFlushed([{ event: "shares", shares }]);
}

/** Equal parts, but nobody gets more than it can call at once; what it leaves goes to the others. */
function wantedShares(state: CoordinatorState, here: readonly string[]): Map<string, number> {
  const { options, seen } = state;
  const capacities = here.map((worker): [string, number] => [worker, seen.get(worker)?.beat.capacity ?? 0]);
  if (options.local !== null) capacities.push([options.local, state.isWindingDown ? 0 : options.concurrency]);
  capacities.sort(([, a], [, b]) => a - b);
  const wanted = new Map<string, number>();
  let left = state.isWindingDown ? 0 : options.concurrency;
  for (const [index, [worker, capacity]] of capacities.entries()) {
    const share = Math.min(capacity, Math.ceil(left / (capacities.length - index)));
    wanted.set(worker, share);
    left -= share;
  }
  return wanted;
}
