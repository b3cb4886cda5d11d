import type { CoordinatorState } from "./coordinator-state.js";
import { flush, onHub, type Steps, type WrittenEvent } from "./effects.js";
import type { StartedRow, WorkerEvent } from "./events.js";
import type { Ack, Fence, OutboxPart } from "./hub.js";
import { journalText } from "./outbox.js";

/** Lines of each outbox that are read at once. */
const MOST_LINES = 500;

/** What is taken of an outbox: its lines up to a number, as they are written to the journal. */
interface Taken {
  readonly worker: string;
  readonly count: number;
  readonly upTo: number;
  readonly lines: readonly WrittenEvent[];
}

/**
 * Reads what workers elsewhere did: read, write, flush, then acknowledge. A crash between any two only repeats events, and
 * repeated ones count once. Returns how many lines there were. `dead`: these write no more.
 */
export function* readOutboxes(state: CoordinatorState, dead: readonly string[] = []): Steps<number> {
  for (let count = 0; ;) {
    const fence = state.current;
    if (fence === null) return count;
    const parts = yield* onHub((hub) => hub.read(fence, MOST_LINES));
    if (parts === null) return count;
    const taken = parts.map((part) => takeLines(state, part, dead.includes(part.worker)));
    const lines = taken.flatMap((part) => part.lines);
    if (lines.length > 0) {
      yield* state.recordLines(lines);
      yield* flush();
    }
    yield* withdrawLate(state, fence);
    const acks: Ack[] = taken
      .filter((part) => part.count > 0)
      .map(({ worker, upTo }) => ({ worker, seq: upTo }));
    if (acks.length > 0) yield* onHub((hub) => hub.acknowledge(fence, acks));
    for (const part of taken) count += part.count;
    if (!taken.some((part) => part.count === MOST_LINES)) return count;
  }
}

function takeLines(state: CoordinatorState, { worker, from, lines }: OutboxPart, isDead: boolean): Taken {
  const known = state.ledger.lastSeq(worker);
  const started = new Map<number, StartedRow>();
  const written: WrittenEvent[] = [];
  for (const [index, line] of lines.entries()) {
    const seq = from + index;
    if (seq <= known) continue;
    const text = journalText(worker, seq, line);
    const event = state.world.parse(text, worker);
    if (event?.event === "started") for (const row of event.rows) started.set(row[1], row);
    if (event !== null && isOfStart(state, event, started)) {
      const counted = state.counted(event);
      written.push(counted === event ? { event, text } : { event: counted });
    } else {
      if (!isDead && isSpoiled(state, worker)) return { worker, count: index, upTo: seq - 1, lines: written };
      warnOfDropped(state, worker);
      // It has a number all the same, and numbers have no gaps.
      written.push({ event: { event: "void", worker, seq, keys: [] } });
    }
  }
  if ((state.spoiled.get(worker) ?? Infinity) < (state.current?.number ?? 0)) state.spoiled.delete(worker);
  return { worker, count: lines.length, upTo: from + lines.length - 1, lines: written };
}

/**
 * A line that is no event stands where its worker's next ones belong, and would be taken for them. Whoever joins another fence sends
 * all that he keeps, so nothing more is read until then. What is there again after that is his own.
 */
function isSpoiled(state: CoordinatorState, worker: string): boolean {
  const { current, spoiled, joined } = state;
  if (!state.isPresent(worker)) return false;
  const fence = current?.number ?? 0;
  const before = spoiled.get(worker);
  if (before !== undefined && before < fence && joined.has(worker)) return false;
  if (before !== undefined) return true;
  spoiled.set(worker, fence);
  warnOfDropped(state, worker);
  return true;
}

function warnOfDropped({ world }: CoordinatorState, worker: string): void {
  world.warn("Something that is no event of this run was found on the queue; it is dropped", { worker });
}

/** An end is that of a call whose start is known, and about the same row. */
function isOfStart(
  { ledger }: CoordinatorState,
  event: WorkerEvent,
  started: ReadonlyMap<number, StartedRow>,
): boolean {
  if (event.event !== "attempt" && event.event !== "settled") return true;
  const { worker = "", key = 0, rowIndex, customId } = event;
  const [startedRow, , startedId] = started.get(key) ?? [];
  const open = ledger.openStart(worker, key);
  return rowIndex === (startedRow ?? open?.rowIndex) && customId === (startedId ?? open?.customId);
}

/** A result of a row that another lease has by now: the row is withdrawn before anybody starts it. */
function* withdrawLate(state: CoordinatorState, fence: Fence): Steps {
  const late = [...state.late]; // a copy: there may be more of them meanwhile
  if (late.length === 0) return;
  yield* onHub((hub) => hub.withdraw(fence, late));
  state.late = state.late.filter((row) => !late.includes(row));
}
