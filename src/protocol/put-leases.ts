import type { CoordinatorState } from "./coordinator-state.js";
import { onHub, onQueue, type Steps } from "./effects.js";

/**
 * Puts offered leases on the queue: journaled, made live, added under their own names. Returns how many there were.
 *
 * All but the last step is repeated until it is answered. A lease whose adding went unanswered may be on the queue, or in a worker's
 * hands, or done with: added once more, it could be executed twice. Like one whose claim went unanswered it is looked for after a
 * while, and its rows are offered again if it is nowhere.
 */
export function* putLeases(state: CoordinatorState): Steps<number> {
  const fence = state.current;
  // Copies: more leases may be offered, and end, while these are put.
  const unput = [...state.unput];
  const ended = [...state.ended];
  if (!state.isReady || fence === null || unput.length + ended.length === 0) return 0;
  const fresh = unput.filter(({ lease }) => !state.journaled.has(lease.number));
  yield* state.record(
    fresh.map(({ lease: { number, fence: leaseFence, rows } }) => ({
      event: "put",
      lease: number,
      fence: leaseFence,
      rows: rows.map(({ rowIndex }) => rowIndex),
    })),
  );
  for (const { lease } of fresh) state.journaled.add(lease.number);
  const leases = unput.map(({ lease }) => lease);
  const numbers = leases.map(({ number }) => number);
  if (!(yield* onHub((hub) => hub.makeLive(fence, numbers, ended)))) return 0;
  state.ended = state.ended.slice(ended.length);
  for (const number of numbers) state.journaled.delete(number);
  state.unput = state.unput.filter((out) => !unput.includes(out));
  if (leases.length > 0) yield* onQueue((queue) => queue.put(leases));
  return leases.length;
}
