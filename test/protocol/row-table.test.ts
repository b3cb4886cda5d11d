import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RowState, RowTable } from "../../src/protocol/row-table.js";

/** Rows on both sides of a page's border, and far away. */
const rowIndex = fc.oneof(fc.nat(20), fc.integer({ min: 65_530, max: 65_540 }), fc.constant(1_000_000));
const settle = fc.record({
  kind: fc.constant("settle" as const),
  rowIndex,
  status: fc.constantFrom("succeeded" as const, "failed" as const),
  offset: fc.nat(2 ** 50),
  length: fc.integer({ min: 1, max: 2 ** 31 }),
});
const unsettle = fc.record({ kind: fc.constant("unsettle" as const), rowIndex });

describe("RowTable", () => {
  it("says of every row what the last step on it said", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(settle, unsettle), { maxLength: 60 }), (steps) => {
        const table = new RowTable();
        const states = new Map<number, "succeeded" | "failed">();
        const places = new Map<number, { offset: number; length: number }>();
        for (const step of steps) {
          if (step.kind === "unsettle") {
            table.unsettle(step.rowIndex);
            states.delete(step.rowIndex);
          } else {
            table.settle(step.rowIndex, step.status, step.offset, step.length);
            states.set(step.rowIndex, step.status);
            places.set(step.rowIndex, { offset: step.offset, length: step.length });
          }
        }
        for (const row of [...steps.map((step) => step.rowIndex), 3, 65_536, 2_000_000]) {
          expect(table.isSettled(row)).toBe(states.has(row));
          expect(table.state(row)).toBe(RowState[states.get(row) ?? "unsettled"]);
          expect(table.locate(row)).toEqual(places.get(row) ?? null);
        }
        const all = [...states.values()];
        expect(table.succeeded).toBe(all.filter((state) => state === "succeeded").length);
        expect(table.failed).toBe(all.filter((state) => state === "failed").length);
        expect(table.settled).toBe(all.length);
        const firstOpen = Array.from({ length: 22 }, (_, row) => row).findIndex((row) => !states.has(row));
        expect(table.settledUpTo(22)).toBe((firstOpen === -1 ? 22 : firstOpen) - 1);
        expect(table.settledUpTo(0)).toBe(-1);
      }),
      { numRuns: 60 },
    );
  });

  it("remembers that a row was in a lease, and that it was to be called again, whatever becomes of it", () => {
    const table = new RowTable(4);
    table.put([3, 4]);
    table.settle(4, "failed", 1, 1);
    table.unsettle(4);
    table.settle(4, "succeeded", 2, 1);
    expect([2, 3, 4, 5].map((row) => table.wasPut(row))).toEqual([false, true, true, false]);
    expect([3, 4].map((row) => table.wasUnsettled(row))).toEqual([false, true]);
    table.setLease(5, 7);
    expect([4, 5].map((row) => table.leaseOf(row))).toEqual([0, 7]);
    table.clear();
    expect(table.wasPut(4) || table.wasUnsettled(4)).toBe(false);
  });
});
