import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Result } from "../../src/types.js";
import { JournalIndex } from "../../src/writer/journal-index.js";
import { Writer } from "../../src/writer/writer.js";
import { afterTest } from "../support/after-test.js";
import { answered, refused } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";

interface Told {
  writer: Writer;
  path: string;
  forgotten: number[];
  dropped: number[];
  settled: { result: Result; isExtra: boolean }[];
  failures: Error[];
  lines: () => Promise<unknown[]>;
}

async function openWriter(forget?: (rows: readonly number[]) => Promise<void>): Promise<Told> {
  const path = join(await tempFolder(), "journal.jsonl");
  const told = { forgotten: [], dropped: [], settled: [], failures: [] } as Pick<
    Told,
    "forgotten" | "dropped" | "settled" | "failures"
  >;
  const writer = await Writer.open({
    journalPath: path,
    journalSize: 0,
    index: new JournalIndex(),
    forget: async (rows) => {
      await forget?.(rows);
      told.forgotten.push(...rows);
    },
    drop: (rows) => Promise.resolve(void told.dropped.push(...rows)),
    onSettled: (result, isExtra) => told.settled.push({ result, isExtra }),
    onFailure: (error) => told.failures.push(error),
  });
  afterTest(() => writer.close());
  const lines = async (): Promise<unknown[]> =>
    (await readFile(path, "utf8"))
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown);
  return { ...told, writer, path, lines };
}

describe("The writer", () => {
  it("lets the queue forget a row only once its result is on disk", async () => {
    const onDiskAtForget: number[] = [];
    const path = { value: "" };
    const told = await openWriter(async (rows) => {
      const text = await readFile(path.value, "utf8");
      onDiskAtForget.push(...rows.filter((row) => text.includes(`"rowIndex":${row},`)));
    });
    path.value = told.path;
    for (let row = 0; row < 50; row++) told.writer.settle(answered(row));
    expect(told.writer.holds(7)).toBe(true);
    await told.writer.drain();
    expect(onDiskAtForget).toEqual([...Array(50).keys()]);
    expect(told.forgotten).toEqual(onDiskAtForget);
    expect(told.writer.holds(7)).toBe(false);
    expect(told.settled.map(({ result }) => result.rowIndex)).toEqual([...Array(50).keys()]);
  });

  it("settles a result once that is handed over again while it is on its way", async () => {
    const told = await openWriter();
    expect(told.writer.settle(answered(3))).toBe(true);
    expect(told.writer.settle(answered(3))).toBe(false);
    await told.writer.drain();
    expect(await told.lines()).toEqual([answered(3)]);
  });

  it("settles a result once that the queue offers again after it was written", async () => {
    const told = await openWriter();
    told.writer.settle(answered(3));
    await told.writer.drain();
    await told.writer.settleAgain(answered(3), false);
    await told.writer.settleAgain(answered(3), true);
    await told.writer.drain();
    expect(await told.lines()).toEqual([answered(3)]);
    expect(told.settled).toHaveLength(1);
    expect({ forgotten: told.forgotten, dropped: told.dropped }).toEqual({ forgotten: [3, 3], dropped: [3] });
  });

  it("journals another answer to a settled row as extra: paid for, not standing", async () => {
    const told = await openWriter();
    const second = answered(3, "second", { attemptsStarted: 2 });
    told.writer.settle(answered(3));
    await told.writer.drain();
    told.writer.settle(second);
    await told.writer.drain();
    expect(await told.lines()).toEqual([answered(3), { event: "extra", result: second }]);
    expect(told.settled.map(({ isExtra }) => isExtra)).toEqual([false, true]);
    expect(told.writer.index.succeeded).toBe(1);
  });

  it("journals the second of two answers that come at once as extra", async () => {
    const told = await openWriter();
    told.writer.settle(answered(3));
    told.writer.settle(answered(3, "second", { attemptsStarted: 2 }));
    await told.writer.drain();
    expect(await told.lines()).toMatchObject([{ rowIndex: 3 }, { event: "extra" }]);
  });

  it("lets a late answer stand in place of a failure", async () => {
    const told = await openWriter();
    const late = answered(3, "late", { attemptsStarted: 2 });
    told.writer.settle(refused(3, { kind: "worker_lost" }));
    await told.writer.drain();
    told.writer.settle(late);
    await told.writer.drain();
    expect(await told.lines()).toMatchObject([{ status: "failed" }, { status: "succeeded" }]);
    expect({ succeeded: told.writer.index.succeeded, failed: told.writer.index.failed }).toEqual({
      succeeded: 1,
      failed: 0,
    });
  });

  it("settles at once for a worker beside it, with nothing for the queue to forget", async () => {
    const told = await openWriter();
    expect(await Promise.all([0, 1, 2].map((row) => told.writer.settleNow(answered(row))))).toEqual([
      true,
      true,
      true,
    ]);
    expect(await told.lines()).toHaveLength(3);
    await told.writer.drain();
    expect(told.forgotten).toEqual([]);
  });

  it("drops the job of an answer that came past the queue", async () => {
    const told = await openWriter();
    told.writer.settleStray(answered(5));
    told.writer.settle(answered(6));
    await told.writer.drain();
    expect({ forgotten: told.forgotten, dropped: told.dropped }).toEqual({ forgotten: [6], dropped: [5] });
  });

  it("keeps what is settled when the queue cannot be reached, and forgets it when it is offered again", async () => {
    let isDown = true;
    const told = await openWriter(() => (isDown ? Promise.reject(new Error("down")) : Promise.resolve()));
    told.writer.settle(answered(1));
    await until("the queue was asked in vain", () => told.failures.length === 1);
    await told.writer.drain();
    expect(told.writer.index.isSettled(1)).toBe(true);
    isDown = false;
    await told.writer.settleAgain(answered(1), false);
    await told.writer.drain();
    expect(told.forgotten).toEqual([1]);
    expect(await told.lines()).toEqual([answered(1)]);
  });
});
