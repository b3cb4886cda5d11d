import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EarlyResults, type RowGate } from "../../src/run/early-results.js";
import { RowTable } from "../../src/protocol/row-table.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";

const BATCH = 500;
const ROWS = 3_000;

/** Results of a run whose rows a test settles. Each try to write them notes the last row of each of its batches. */
async function resultsOf({ minFreeBytes = 0, failsAfter = ROWS } = {}): Promise<{
  early: EarlyResults<string>;
  tries: number[][];
  partial: string;
  settle: (from: number, to: number) => void;
  finish: () => Promise<string>;
}> {
  const folder = await tempFolder();
  const partial = join(folder, "results.csv.partial");
  const index = new RowTable();
  const tries: number[][] = [];
  const write = async (_index: RowTable, gate: RowGate | null): Promise<string> => {
    const batches: number[] = [];
    tries.push(batches);
    if (gate !== null) await writeFile(partial, "");
    for (let lastRow = BATCH - 1; lastRow < ROWS; lastRow += BATCH) {
      await gate?.(lastRow);
      if (gate !== null && lastRow > failsAfter) throw new Error("the disk broke");
      batches.push(lastRow);
    }
    return gate === null ? "at the end" : "early";
  };
  const early = new EarlyResults({ folder, partialFiles: [partial], write, minFreeBytes });
  early.begin(index);
  return {
    early,
    tries,
    partial,
    settle: (from, to) => {
      for (let row = from; row <= to; row++) {
        index.settle(row, "succeeded", row * 10, 10);
        early.settled();
      }
    },
    finish: () => early.finish(index),
  };
}

const waited = () => new Promise((resolve) => setTimeout(resolve, 300));

describe("results made while rows are called", () => {
  it("are written up to the first row that is not settled, and the rest at the end", async () => {
    const { tries, settle, finish } = await resultsOf();
    settle(0, 700);
    settle(702, 1_400);
    await until("a batch is written", () => tries[0]?.length === 1);
    await waited();
    expect(tries).toEqual([[499]]);
    settle(701, 701);
    await until("another batch is written", () => tries[0]?.length === 2);
    settle(1_401, ROWS - 1);
    expect(await finish()).toBe("early");
    expect(tries).toEqual([[499, 999, 1_499, 1_999, 2_499, 2_999]]);
  });

  it("of few rows are written at the end", async () => {
    const { tries, settle, finish } = await resultsOf();
    settle(0, 998);
    await waited();
    expect(tries).toEqual([]);
    expect(await finish()).toBe("at the end");
  });

  it("take no room that the journal may need", async () => {
    const { tries, settle, finish } = await resultsOf({ minFreeBytes: Number.MAX_SAFE_INTEGER });
    settle(0, ROWS - 1);
    await until("writing was begun", () => tries.length === 1);
    await waited();
    expect(tries).toEqual([[]]);
    expect(await finish()).toBe("at the end");
  });

  it("that could not be written are written anew at the end", async () => {
    const { tries, settle, finish, partial } = await resultsOf({ failsAfter: 600 });
    settle(0, ROWS - 1);
    await until("a batch is written", () => tries[0]?.length === 1);
    expect(await finish()).toBe("at the end");
    expect(tries).toHaveLength(2);
    expect(existsSync(partial)).toBe(false);
  });

  it("leave the process its time while it is busy", async () => {
    const { tries, settle, finish } = await resultsOf();
    settle(0, 1_200);
    const end = performance.now() + 500;
    while (performance.now() < end) {
      const busyUntil = performance.now() + 20;
      while (performance.now() < busyUntil);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(tries).toEqual([[]]);
    settle(1_201, ROWS - 1);
    expect(await finish()).toBe("early");
  });

  it("that are given up leave nothing behind", async () => {
    const { early, tries, settle, partial } = await resultsOf();
    settle(0, 1_200);
    await until("a batch is written", () => tries[0]?.length === 1);
    expect(existsSync(partial)).toBe(true);
    await early.giveUp();
    expect(existsSync(partial)).toBe(false);
    expect(tries).toHaveLength(1);
  });
});
