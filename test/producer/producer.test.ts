import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { until } from "../support/until.js";
import type { InputRow } from "../../src/input/row.js";
import { payloadCharacters, produce, type ProducerOptions } from "../../src/producer/producer.js";
import { defaultWindow, Window } from "../../src/producer/window.js";
import { PAYLOAD_VERSION, type QueuePayload } from "../../src/queue/payload.js";
import type { RowError } from "../../src/types.js";

function rowsOf(count: number): InputRow[] {
  return Array.from({ length: count }, (_, rowIndex) => ({ rowIndex, line: rowIndex + 2, values: {} }));
}

async function* inBatches(rows: readonly InputRow[], size = 7): AsyncGenerator<InputRow[]> {
  for (let start = 0; start < rows.length; start += size) {
    await Promise.resolve();
    yield rows.slice(start, start + size);
  }
}

function payloadOf({ rowIndex }: InputRow, text = "x"): QueuePayload {
  const request = { model: "m", messages: [{ role: "user", content: text }], parameters: {} } as const;
  return { v: PAYLOAD_VERSION, rowIndex, customId: "", preset: null, request };
}

/** Options of a run in which nothing is special, and what it enqueued. */
function watched(count: number, more: Partial<ProducerOptions> = {}) {
  const enqueued: number[][] = [];
  const rejected: [number, RowError][] = [];
  const window = more.window ?? new Window(10_000);
  const options: ProducerOptions = {
    batches: inBatches(rowsOf(count)),
    build: (row) => payloadOf(row),
    isSettled: () => false,
    endRow: count,
    enqueue: (payloads) => Promise.resolve(void enqueued.push(payloads.map(({ rowIndex }) => rowIndex))),
    reject: (row, error) => rejected.push([row.rowIndex, error]),
    window,
    batchRows: 200,
    places: 20,
    signal: new AbortController().signal,
    onEnqueueError: () => {},
    ...more,
  };
  return { options, enqueued, rejected, window };
}

describe("The producer", () => {
  it("offers small batches until every place has a row, then waits for the first to end, and offers large ones", async () => {
    const { options, enqueued, window } = watched(1_000, { places: 120 });
    const produced = produce(options);
    await until("every place has a row", () => enqueued.flat().length >= 120);
    await new Promise((resolve) => setImmediate(resolve));
    expect(enqueued.map((batch) => batch.length)).toEqual([50, 50, 50]);
    window.release(1, 1);
    await until("it goes on", () => enqueued.length > 3);
    expect(enqueued[3]?.length).toBe(200);
    expect(await produced).toBe(1_000);
  });

  it("puts every row on the queue once, in order, the first ones soon", async () => {
    const { options, enqueued } = watched(1_234);
    expect(await produce(options)).toBe(1_234);
    expect(enqueued.flat()).toEqual([...Array(1_234).keys()]);
    expect(enqueued[0]?.length).toBeLessThanOrEqual(50);
    expect(Math.max(...enqueued.map((batch) => batch.length))).toBeLessThanOrEqual(500);
  });

  it("has two batches on their way at once, no more, and ends when the last has arrived", async () => {
    const arrivals: (() => void)[] = [];
    const { options } = watched(200, {
      batchRows: 50,
      enqueue: () => new Promise((resolve) => void arrivals.push(resolve)),
    });
    let isOver = false;
    const produced = produce(options).finally(() => (isOver = true));
    for (const sent of [2, 3, 4]) {
      await until(`${sent} batches were sent`, () => arrivals.length === sent);
      await new Promise((resolve) => setImmediate(resolve));
      expect(arrivals).toHaveLength(sent);
      arrivals[sent - 2]?.();
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    arrivals[3]?.();
    expect(await produced).toBe(200);
  });

  it("never has more rows on the queue than the window allows", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.nat(300), fc.nat(1), async (size, count, lazy) => {
        const window = new Window(size);
        let onQueue = 0;
        let most = 0;
        const { options, enqueued } = watched(count, { window });
        const settle = (rows: number): void => {
          onQueue -= rows;
          window.release(rows, rows);
        };
        await produce({
          ...options,
          enqueue: async (payloads) => {
            await options.enqueue(payloads);
            onQueue += payloads.length;
            most = Math.max(most, onQueue);
            // Rows are settled one by one, or all at once, some time later.
            setImmediate(() => {
              if (lazy === 1) settle(payloads.length);
              else for (let row = 0; row < payloads.length; row++) settle(1);
            });
          },
        });
        expect(most).toBeLessThanOrEqual(size);
        expect(enqueued.flat()).toEqual([...Array(count).keys()]);
      }),
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
    while (window.free > 0) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(read).toBeLessThanOrEqual(2 * 20 + 1);
    stop.abort();
    window.close();
    expect(await producing).toBe(20);
  });

  it("keeps characters in bounds as well as rows, but lets a huge row through alone", async () => {
    const window = new Window(100, 1_000);
    const sizes: number[] = [];
    const { options, enqueued } = watched(6, {
      window,
      build: (row) => payloadOf(row, "x".repeat(row.rowIndex === 3 ? 5_000 : 400)),
    });
    await produce({
      ...options,
      enqueue: async (payloads) => {
        await options.enqueue(payloads);
        const characters = payloads.reduce((sum, payload) => sum + payloadCharacters(payload), 0);
        sizes.push(characters);
        setImmediate(() => window.release(payloads.length, characters));
      },
    });
    expect(enqueued.flat()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(5 * 400 + 5_000);
  });

  it("leaves settled rows alone, and rows beyond the run", async () => {
    const { options, enqueued } = watched(100, { isSettled: (row) => row % 3 === 0, endRow: 10 });
    expect(await produce(options)).toBe(6);
    expect(enqueued.flat()).toEqual([1, 2, 4, 5, 7, 8]);
  });

  it("settles rows that cannot become requests, without putting them on the queue", async () => {
    const unreadable: RowError = { kind: "input", code: "csv_cells", message: "2 cells", httpStatus: null };
    const unfit: RowError = { kind: "input", code: "row_invalid", message: "no", httpStatus: null };
    const rows = rowsOf(5).map((row) => (row.rowIndex === 1 ? { ...row, problem: unreadable } : row));
    const { options, enqueued, rejected } = watched(5, {
      batches: inBatches(rows),
      build: (row) => (row.rowIndex === 3 ? unfit : payloadOf(row)),
    });
    await produce(options);
    expect(enqueued.flat()).toEqual([0, 2, 4]);
    expect(rejected).toEqual([
      [1, unreadable],
      [3, unfit],
    ]);
  });

  it("waits for requests that take time to make", async () => {
    const { options, enqueued } = watched(5, { build: (row) => Promise.resolve(payloadOf(row)) });
    await produce(options);
    expect(enqueued.flat()).toEqual([0, 1, 2, 3, 4]);
  });

  it("ends early without an error when it is told to stop", async () => {
    const stop = new AbortController();
    const { options, enqueued } = watched(5_000, { signal: stop.signal });
    const produced = await produce({
      ...options,
      enqueue: async (payloads) => {
        await options.enqueue(payloads);
        if (enqueued.length === 2) stop.abort();
      },
    });
    expect(enqueued).toHaveLength(2);
    expect(produced).toBe(enqueued.flat().length);
  });

  it("offers rows again that the queue refused", async () => {
    const errors: string[] = [];
    let refusals = 1;
    const { options, enqueued } = watched(3, { onEnqueueError: (error) => errors.push(error.message) });
    await produce({
      ...options,
      enqueue: async (payloads) => {
        if (refusals-- > 0) throw new Error("OOM command not allowed");
        await options.enqueue(payloads);
      },
    });
    expect(errors).toEqual(["OOM command not allowed"]);
    expect(enqueued).toEqual([[0, 1, 2]]);
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
    expect([1, 200, 201, 1_000].map(defaultWindow)).toEqual([2_000, 2_000, 2_000, 2_000]);
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
