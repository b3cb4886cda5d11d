import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalEvent, SettledEvent, WorkerEvent } from "../../src/protocol/events.js";
import { Ledger } from "../../src/protocol/ledger.js";
import { journalOffset } from "../../src/protocol/line-place.js";
import { RowTable } from "../../src/protocol/row-table.js";
import { resultOf, taskOf, TIME } from "./simulation/tasks.js";

const ROWS = 4;

interface Sums {
  readonly ledger: Ledger;
  readonly ended: string[];
  readonly started: string[];
  readonly settled: SettledEvent[];
}

function fold(events: readonly JournalEvent[], into = newSums()): Sums {
  for (const [index, event] of events.entries()) into.ledger.apply(event, index + 1, 1);
  return into;
}

function newSums(): Sums {
  const ended: string[] = [];
  const started: string[] = [];
  const settled: SettledEvent[] = [];
  const ledger = new Ledger(new RowTable(ROWS), {
    started: ({ worker, key }) => started.push(`${worker}:${key}`),
    ended: ({ rowIndex, billing }, start) =>
      ended.push(`${start?.worker}:${start?.key} row ${rowIndex} ${billing}`),
    settled: (event) => settled.push(event),
  });
  return { ledger, ended, started, settled };
}

/** What the totals of a run are made of. */
function totals({ ledger, ended, started }: Sums): unknown {
  const open = [...ledger.openStarts()].map(({ worker, key }) => `${worker}:${key}`);
  const rows = Array.from({ length: ROWS }, (_, row) => ledger.rows.isSettled(row));
  const history = Array.from({ length: ROWS }, (_, row) => ledger.history(row).ended);
  return { ended: ended.toSorted(), started: started.toSorted(), open: open.toSorted(), rows, history };
}

function started(worker: string, row: number, key: number, fence = 1): WorkerEvent {
  const rows = [[row, key, `id-${row}`, null, 1] as const];
  return { event: "started", at: TIME, model: "m", fence, worker, rows };
}

function attempt(worker: string, row: number, key: number): WorkerEvent {
  const call = { worker, key, rowIndex: row, customId: `id-${row}`, model: "m" };
  return { event: "attempt", at: TIME, counts: true, billing: "billed", usage: null, ...call };
}

function settled(worker: string, row: number, key: number, text: string | null = "fine"): SettledEvent {
  return { ...resultOf(taskOf(row, 0), text), event: "settled", billing: "billed", worker, key };
}

/** Events of one worker: calls that begin, and end in one way or another, or not. */
function eventsOf(worker: string): fc.Arbitrary<WorkerEvent[]> {
  const call = fc.record({
    row: fc.nat(ROWS - 1),
    end: fc.constantFrom("none", "attempt", "success", "failure", "void"),
  });
  return fc.array(call, { maxLength: 8 }).map((calls) => {
    const events = calls.flatMap(({ row, end }, index): WorkerEvent[] => {
      const key = index + 1;
      const start = started(worker, row, key);
      if (end === "attempt") return [start, attempt(worker, row, key)];
      if (end === "success") return [start, settled(worker, row, key)];
      if (end === "failure") return [start, settled(worker, row, key, null)];
      return end === "void" ? [start, { event: "void", worker, keys: [key] }] : [start];
    });
    return events.map((event, index) => ({ ...event, seq: index + 1 }));
  });
}

describe("Ledger", () => {
  it("counts an event once, however often any part of a journal is read", () => {
    fc.assert(
      fc.property(eventsOf("a"), eventsOf("b"), fc.nat(20), (first, second, from) => {
        const events = [...first, ...second];
        const once = totals(fold(events));
        expect(totals(fold([...events, ...events.slice(from), ...events]))).toEqual(once);
      }),
    );
  });

  it("comes to the same totals in whatever order two workers' events are read", () => {
    const order = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(eventsOf("a"), eventsOf("b"), order, (first, second, isFirst) => {
        const a = [...first];
        const b = [...second];
        const mixed: WorkerEvent[] = [];
        for (const takeFirst of isFirst) {
          const next = (takeFirst ? a : b).shift() ?? a.shift() ?? b.shift();
          if (next === undefined) break;
          mixed.push(next);
        }
        expect(totals(fold(mixed))).toEqual(totals(fold([...second, ...first])));
      }),
    );
  });

  it("keeps a success before a failure, and of two alike the first", () => {
    const { ledger, settled: results } = fold([
      started("a", 0, 1),
      started("b", 0, 1),
      started("c", 0, 1),
      settled("a", 0, 1, null),
      settled("b", 0, 1, "one"),
      settled("c", 0, 1, "two"),
    ]);
    expect(ledger.rows.locate(0)?.offset).toBe(5);
    expect(results).toHaveLength(2);
  });

  it("comes to the same results whether files are merged while they are written or read afterwards", () => {
    const events = [settled("a", 0, 1, "of the first file"), settled("b", 0, 1, "of the second")] as const;
    const places = [journalOffset(0, 10), journalOffset(1, 10)] as const;
    for (const order of [
      [0, 1],
      [1, 0],
    ] as const) {
      const { ledger } = newSums();
      for (const index of order) ledger.apply(events[index], places[index], 1);
      expect(ledger.rows.locate(0)?.offset).toBe(places[1]);
    }
  });

  it("counts a late call that began before a retry, and does not take its answer", () => {
    const {
      ledger,
      ended,
      settled: results,
    } = fold([
      { event: "fence", fence: 1 },
      started("a", 0, 1, 1),
      started("b", 0, 1, 1),
      started("b", 0, 2, 1),
      settled("b", 0, 1, null),
      { event: "retry", at: TIME, rowIndexes: [0] },
      { event: "fence", fence: 2 },
      settled("a", 0, 1, "to the old request"),
      attempt("b", 0, 2),
    ]);
    expect(ended).toHaveLength(3);
    expect(ledger.rows.isSettled(0)).toBe(false);
    expect(ledger.history(0).ended).toBe(0);
    fold([started("c", 0, 1, 2), settled("c", 0, 1, "to the new one")], {
      ledger,
      ended,
      started: [],
      settled: results,
    });
    expect(results.at(-1)).toMatchObject({ output: { text: "to the new one" } });
  });

  it("lists what is open when the input is another as possibly billed, and begins anew", () => {
    const { ledger, ended } = fold([
      started("a", 0, 1),
      started("a", 1, 2),
      settled("a", 1, 2),
      { event: "input", at: TIME, rowsBefore: ROWS },
    ]);
    expect(ended).toEqual(["a:2 row 1 billed", "a:1 row 0 possible"]);
    expect(ledger.rows.settled).toBe(0);
    expect([...ledger.openStarts()]).toEqual([]);
  });

  it("knows of workers what the last word on them was", () => {
    const { ledger } = fold([
      { event: "fence", fence: 3, server: "s1", suspects: { a: 4, b: 2 } },
      { event: "unknown", worker: "a", starts: 4 },
      { event: "dead", worker: "a" },
    ]);
    expect(ledger.unknownStarts).toBe(6);
    fold(
      [
        { event: "known", worker: "a" },
        { event: "known", worker: "b" },
      ],
      { ledger, ended: [], started: [], settled: [] },
    );
    expect(ledger.unknownStarts).toBe(0);
    expect(ledger.dead.size).toBe(0);
    expect(ledger.fence).toBe(3);
  });
});
