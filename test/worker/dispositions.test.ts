import { describe, expect, it } from "vitest";
import type { Result } from "../../src/types.js";
import { simulatedModel } from "../support/simulator.js";
import { runRows } from "../run/running.js";

interface Case {
  readonly what: string;
  readonly marker: string;
  readonly becomes: object;
  /** What the simulator saw of this row. */
  readonly calls: number;
}

const cases: Case[] = [
  {
    what: "an answer",
    marker: "",
    calls: 1,
    becomes: { status: "succeeded", attempts: 1, attemptsStarted: 1, possiblyBilled: 0 },
  },
  {
    what: "a server error that passes is repeated, and counts",
    marker: "[[sim:fault=server_error;times=2]]",
    calls: 3,
    becomes: { status: "succeeded", attempts: 3, attemptsStarted: 3, possiblyBilled: 0 },
  },
  {
    what: "a server error that stays fails the row when attempts run out",
    marker: "[[sim:fault=capacity]]",
    calls: 3,
    becomes: {
      status: "failed",
      attempts: 3,
      attemptsStarted: 3,
      usage: null,
      error: { kind: "server", httpStatus: 503 },
    },
  },
  {
    what: "throttling is waited out and uses up no attempt",
    marker: "[[sim:fault=rate_limit;times=4;retry_after=0]]",
    calls: 5,
    becomes: { status: "succeeded", attempts: 1, attemptsStarted: 5, possiblyBilled: 0 },
  },
  {
    what: "a refusal of what the row says fails it at once",
    marker: "[[sim:fault=content_inspection]]",
    calls: 1,
    becomes: {
      status: "failed",
      attempts: 1,
      attemptsStarted: 1,
      error: { kind: "content_filter", httpStatus: 400 },
    },
  },
  {
    what: "an answer that broke on its way is asked for again, and may be on the bill",
    marker: "[[sim:fault=malformed_json;times=1]]",
    calls: 2,
    becomes: { status: "succeeded", attempts: 2, attemptsStarted: 2, possiblyBilled: 1 },
  },
  {
    what: "a broken connection is tried again, and may be on the bill",
    marker: "[[sim:fault=connection_reset;times=1]]",
    calls: 2,
    becomes: { status: "succeeded", attempts: 2, attemptsStarted: 2, possiblyBilled: 1 },
  },
  {
    what: "an answer cut off at its token limit succeeds",
    marker: "[[sim:finish=length]] one two three four",
    calls: 1,
    becomes: { status: "succeeded", attempts: 1, output: { finishReason: "length" } },
  },
];

describe("What becomes of a row", () => {
  it("after an attempt of every kind, side by side in one run", async () => {
    const simulator = await simulatedModel();
    const rows = cases.map(({ marker }, row) => ({ id: `r${row}`, text: `row ${row} ${marker}` }));
    const { journal, usage } = await runRows(
      {
        model: "qwen-plus",
        prompt: { user: "{{ text }}" },
        input: { id: "id" },
        attempts: 3,
        concurrency: 4,
      },
      rows,
      { simulator },
    );
    const byRow = new Map(journal.map((result): [number, Result] => [result.rowIndex, result]));
    const calls = new Map(
      [...simulator.calls().perRequest.values()].map((each) => [
        /row (\d+)/.exec(each.lastUserText)?.[1],
        each.calls,
      ]),
    );
    for (const [row, { what, becomes, calls: expected }] of cases.entries()) {
      expect(byRow.get(row), what).toMatchObject(becomes);
      expect(calls.get(String(row)), what).toBe(expected);
    }
    const answeredCalls = cases.filter(
      ({ becomes }) => "status" in becomes && becomes.status === "succeeded",
    );
    expect(usage.attempts).toEqual({ billed: answeredCalls.length, possiblyBilled: 2 });
  });
});
