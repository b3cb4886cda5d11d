import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InputRow } from "../../src/input/row.js";
import { produce, type ProducerOptions } from "../../src/producer/producer.js";
import { defaultWindow, Window } from "../../src/producer/window.js";
import type { RowError } from "../../src/types.js";
import { taskOf } from "../support/tasks.js";

function rowsOf(count: number): InputRow[] {
  return Array.from({ length: count }, (_, rowIndex) => ({ rowIndex, line: rowIndex + 2, values: {} }));
}

async function* inBatches(rows: readonly InputRow[], size = 7): AsyncGenerator<InputRow[]> {
  for (let start = 0; start < rows.length; start += size) {
    await Promise.resolve();
    yield rows.slice(start, start + size);
  }
}

/** Options of a run in which nothing is special, and what it offered; `flushes` are lengths at which all was put. */
function watched(count: number, more: Partial<ProducerOptions> = {}) {
  const offered: number[] = [];
  const flushes: number[] = [];
  const rejected: [number, RowError][] = [];
  const window = more.window ?? new Window(10_000);
  const options: ProducerOptions = {
    batches: inBatches(rowsOf(count)),
    build: (row) => taskOf(row.rowIndex),
    isSettled: () => false,
    endRow: count,
    reject: (row, error) => rejected.push([row.rowIndex, error]),
    offers: {
      offer: ({ rowIndex }) => {
        offered.push(rowIndex);
        return true;
      },
      flush: () => void flushes.push(offered.length),
      room: () => Promise.resolve(false),
    },
    window,
    batchRows: 5,
    places: 100_000,
    signal: new AbortController().signal,
    ...more,
  };
  return { options, offered, flushes, rejected, window };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe("The producer", () => {
  it("offers every row once, in order, and says when no more comes", async () => {
    const { options, offered, flushes } = watched(1_234);
    expect(await produce(options)).toBe(1_234);
    expect(offered).toEqual([...Array(1_234).keys()]);
    expect(flushes).toEqual([1_234]);
  });

  it("has the first rows put once every place has one, and goes on when the first has ended", async () => {
    const { options, offered, flushes, window } = watched(500, { places: 120 });
    const produced = produce(options);
    while (flushes.length === 0) await turn();
    expect(offered).toHaveLength(120);
    window.release(1, 1);
    expect(await produced).toBe(500);
  });

  it("never has more rows out than the window allows, and waits for room for a whole lease", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.nat(300),
        fc.boolean(),
        async (size, count, isLazy) => {
          const window = new Window(size);
          const { options, offered } = watched(count, { window });
          let out = 0;
          let most = 0;
          const release = (): void => {
            const rows = isLazy ? out : Math.min(1, out);
            out -= rows;
            window.release(rows, rows);
            if (out > 0) setImmediate(release);
          };
          await produce({
            ...options,
            offers: {
              ...options.offers,
              offer: (task) => {
                if (out++ === 0) setImmediate(release);
                most = Math.max(most, out);
                return options.offers.offer(task);
              },
            },
          });
          expect(most).toBeLessThanOrEqual(size);
          expect(offered).toEqual([...Array(count).keys()]);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("reads no further than the window has room for", async () => {
    let read = 0;
    async function* counting(): AsyncGenerator<InputRow[]> {
      for (const row of rowsOf(1_000)) {
        await Promise.resolve();
        read++;
        yield [row];
      }
    }
    const stop = new AbortController();
    const window = new Window(20);
    const { options } = watched(1_000, { batches: counting(), window, signal: stop.signal });
    const producing = produce(options);
    while (window.free > 0) await turn();
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(read).toBeLessThanOrEqual(21);
    stop.abort();
    window.close();
    expect(await producing).toBe(20);
  });

  it("lets a huge row through alone", async () => {
    const window = new Window(100, 1_000);
    const { options, offered } = watched(6, {
      window,
      build: (row) => taskOf(row.rowIndex, "x".repeat(row.rowIndex === 3 ? 5_000 : 400)),
    });
    const producing = produce({
      ...options,
      offers: {
        ...options.offers,
        offer: (task) => {
          const length = task.rowIndex === 3 ? 5_000 : 400;
          setImmediate(() => window.release(1, length));
          return options.offers.offer(task);
        },
      },
    });
    expect(await producing).toBe(6);
    expect(offered).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("has what it offered put before it waits for money, and ends when none will come", async () => {
    const { options, offered, flushes } = watched(10);
    let rooms = 0;
    const produced = await produce({
      ...options,
      offers: {
        ...options.offers,
        offer: (task) => task.rowIndex < 4 && options.offers.offer(task),
        room: () => Promise.resolve(++rooms < 3),
      },
    });
    expect(produced).toBe(4);
    expect(offered).toEqual([0, 1, 2, 3]);
    expect(flushes[0]).toBe(4);
    expect(rooms).toBe(3);
  });

  it("leaves settled rows alone, and rows beyond the run", async () => {
    const { options, offered } = watched(100, { isSettled: (row) => row % 3 === 0, endRow: 10 });
    expect(await produce(options)).toBe(6);
    expect(offered).toEqual([1, 2, 4, 5, 7, 8]);
  });

  it("settles rows that cannot become requests, and those whose answer is known, without offering them", async () => {
    const unreadable: RowError = { kind: "input", code: "csv_cells", message: "2 cells", httpStatus: null };
    const unfit: RowError = { kind: "input", code: "row_invalid", message: "no", httpStatus: null };
    const rows = rowsOf(6).map((row) => (row.rowIndex === 1 ? { ...row, problem: unreadable } : row));
    const { options, offered, rejected } = watched(6, {
      batches: inBatches(rows),
      build: (row) => (row.rowIndex === 3 ? unfit : taskOf(row.rowIndex)),
      answerAtOnce: ({ rowIndex }) => Promise.resolve(rowIndex === 5),
    });
    expect(await produce(options)).toBe(3);
    expect(offered).toEqual([0, 2, 4]);
    expect(rejected).toEqual([
      [1, unreadable],
      [3, unfit],
    ]);
  });

  it("waits for requests that take time to make", async () => {
    const { options, offered } = watched(5, { build: (row) => Promise.resolve(taskOf(row.rowIndex)) });
    await produce(options);
    expect(offered).toEqual([0, 1, 2, 3, 4]);
  });

  it("ends early without an error when it is told to stop", async () => {
    const stop = new AbortController();
    const { options, offered } = watched(5_000, { signal: stop.signal });
    const produced = await produce({
      ...options,
      offers: {
        ...options.offers,
        offer: (task) => {
          if (task.rowIndex === 100) stop.abort();
          return options.offers.offer(task);
        },
      },
    });
    expect(produced).toBe(101);
    expect(offered).toHaveLength(101);
  });

  it("passes on what is wrong with the input", async () => {
    async function* broken(): AsyncGenerator<InputRow[]> {
      yield rowsOf(2);
      await Promise.reject(new Error("line 4: a quote opens here"));
    }
    const { options } = watched(10, { batches: broken() });
    await expect(produce(options)).rejects.toThrow("line 4");
  });
});

describe("The window", () => {
  it("has 2,000 rows, or two rounds of the workers when that is more", () => {
    expect([1, 200, 201, 1_000, 2_000].map(defaultWindow)).toEqual([2_000, 2_000, 2_000, 2_000, 4_000]);
  });

  it("lets one who waits go when it is closed", async () => {
    const window = new Window(1);
    window.take(1, 1);
    const waiting = window.room(1, 1);
    window.close();
    await waiting;
    expect(window.free).toBe(0);
  });

  it("never counts below nothing", () => {
    const window = new Window(5);
    window.release(3, 3);
    expect(window.free).toBe(5);
  });
});
