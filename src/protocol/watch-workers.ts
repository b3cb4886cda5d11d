import type { CoordinatorState, OutLease } from "./coordinator-state.js";
import { onHub, onQueue, type Steps } from "./effects.js";
import type { JournalEvent } from "./events.js";
import type { Fence, HubView } from "./hub.js";
import { readOutboxes } from "./read-outboxes.js";

/**
 * Tells workers that live from those that died, and takes back what the dead had.
 *
 * A worker is *joined* (it gave a sign of life under this fence), *awaited* (it was there under an earlier one), or *dead* (no
 * sign for long, or its process has ended). The order of a drop: first nothing of the lease can start any more, then the
 * outboxes are read to their ends, then the death is journaled, and only then are rows offered again.
 */
export function* watchWorkers(state: CoordinatorState, view: HubView): Steps {
  const { awaited } = state;
  const before = awaited.size;
  const back = hear(state, view);
  if (back.length > 0) yield* state.recordFlushed(back.map((worker) => ({ event: "known", worker })));
  if (back.length > 0 || awaited.size < before) state.world.mayOffer();
  const dead = deadWorkers(state, view);
  const lost = yield* lostLeases(state, dead);
  if (dead.length > 0 || lost.length > 0 || state.dropping.length > 0) yield* drop(state, dead, lost);
}

/** Notes signs of life. Returns workers that were given up and are back. */
function hear(state: CoordinatorState, { beats }: HubView): string[] {
  const { ledger, world, seen } = state;
  const back: string[] = [];
  for (const [worker, beat] of Object.entries(beats)) {
    if (seen.get(worker)?.beat.beat === beat.beat) continue;
    seen.set(worker, { beat, at: world.now() });
    if (beat.fence !== state.current?.number || state.joined.has(worker)) continue;
    state.joined.add(worker);
    state.awaited.delete(worker);
    state.withheld.delete(worker);
    if (ledger.unknown.has(worker) || ledger.dead.has(worker) || ledger.suspects.has(worker))
      back.push(worker);
  }
  return back;
}

function deadWorkers(state: CoordinatorState, { beats }: HubView): string[] {
  const { seen, awaited, ledger, world, options } = state;
  const now = world.now();
  const dead = new Set<string>();
  for (const [worker, { beat, at }] of seen) {
    if (beats[worker] === undefined) {
      // It left in good order, or was dropped.
      seen.delete(worker);
      if (state.joined.delete(worker)) state.shares.delete(worker);
    } else if (now - at > options.timing.deadMs || world.hasEnded(beat)) dead.add(worker);
  }
  for (const [worker, until] of awaited) if (until < now) dead.add(worker);
  const isKnown = (worker: string): boolean =>
    ledger.dead.has(worker) && !state.joined.has(worker) && !awaited.has(worker);
  return [...dead].filter((worker) => !isKnown(worker));
}

/** Leases of dead workers, and those that somebody took without knowing it: the answer to his claim was lost. */
function* lostLeases(state: CoordinatorState, dead: readonly string[]): Steps<number[]> {
  const lost = leasesOfDead(state, dead);
  for (const number of yield* leasesOfNobody(state)) lost.add(number);
  return [...lost].filter((number) => state.leases.has(number));
}

/** What the living have is noted on the way. */
function leasesOfDead(state: CoordinatorState, dead: readonly string[]): Set<number> {
  const { seen, leases, ledger, world } = state;
  const current = state.current?.number;
  const now = world.now();
  const lost = new Set<number>();
  for (const worker of dead)
    for (const { fence, lease } of ledger.openStartsOf(worker)) if (fence === current) lost.add(lease);
  for (const [worker, { beat }] of seen) {
    if (beat.fence !== current) continue;
    if (dead.includes(worker)) for (const number of beat.leases) lost.add(number);
    else touch(leases, beat.leases, now);
  }
  touch(leases, state.localWorker?.leases() ?? [], now);
  return lost;
}

function* leasesOfNobody({ leases, unput, options, world }: CoordinatorState): Steps<number[]> {
  const now = world.now();
  const lost: number[] = [];
  for (const out of [...leases.values()]) {
    if (unput.includes(out) || now - out.seenAt < options.timing.claimMs) continue;
    if ((yield* onQueue((queue) => queue.state(out.lease))) === "waiting") out.seenAt = world.now();
    else lost.push(out.lease.number);
  }
  return lost;
}

function touch(leases: ReadonlyMap<number, OutLease>, numbers: readonly number[], now: number): void {
  for (const number of numbers) {
    const out = leases.get(number);
    if (out !== undefined) out.seenAt = now;
  }
}

function* drop(state: CoordinatorState, dead: readonly string[], lost: readonly number[]): Steps {
  const { ledger, options, world } = state;
  const fence = state.current as Fence;
  state.dropping = [...new Set([...state.dropping, ...lost])];
  const { dropping } = state;
  const calls = yield* onHub((hub) => hub.drop(fence, dropping, dead));
  if (calls === null) return;
  const until = world.now() + options.timing.callMs + options.timing.sendMs;
  for (const worker of dead) {
    state.shares.delete(worker);
    state.joined.delete(worker);
    if (!state.withheld.has(worker)) state.withheld.set(worker, { calls: calls[worker] ?? 0, until });
  }
  yield* readOutboxes(state, dead);
  const events: JournalEvent[] = [];
  for (const worker of dead) {
    const starts = ledger.suspects.get(worker);
    // The second alone says that nothing more is to be learned: a kill may leave the first lines of a write.
    if (starts !== undefined) events.push({ event: "unknown", worker, starts });
    events.push({ event: "dead", worker });
    world.warn("A worker is gone; its rows go to others", { worker });
  }
  yield* state.recordFlushed(events);
  for (const worker of dead) state.awaited.delete(worker);
  state.noteOldStarts(ledger.openStarts());
  const gone = dropping.flatMap((number) => state.leases.get(number)?.lease ?? []);
  for (const number of dropping) state.dropLease(number);
  state.dropping = [];
  world.mayOffer();
  yield* onQueue((queue) => queue.remove(gone));
}
