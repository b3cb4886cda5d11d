import { describe, expect, it } from "vitest";
import { simulatedModel } from "../support/simulator.js";
import { runRows } from "./running.js";

describe("ids of prompt rows", () => {
  it("identify the rows that have one; the others go by their number", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      { model: "qwen-plus", input: { lenient: true } },
      [{ id: "a", prompt: "One" }, { prompt: "Two" }, { id: "c", prompt: " " }],
      { simulator },
    );
    const byRow = done.journal.toSorted((a, b) => a.rowIndex - b.rowIndex);
    const ids = byRow.map(({ rowIndex, customId, status }) => [rowIndex, customId, status]);
    expect(ids).toEqual([
      [0, "a", "succeeded"],
      [1, "1", "succeeded"],
      [2, "c", "failed"],
    ]);
  });

  it("must be unique, which is checked before any call", async () => {
    const simulator = await simulatedModel();
    const rows = [
      { id: "a", prompt: "One" },
      { id: "a", prompt: "Two" },
    ];
    await expect(runRows({ model: "qwen-plus" }, rows, { simulator })).rejects.toMatchObject({
      code: "id_duplicate",
      exitCode: 2,
    });
    expect(simulator.calls().total).toBe(0);
  });
});
