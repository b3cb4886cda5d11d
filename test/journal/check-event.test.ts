import { describe, expect, it } from "vitest";
import { isJournalEvent, isWorkerEvent } from "../../src/journal/check-event.js";
import { parseWorkerLine } from "../../src/journal/parse-line.js";
import { journalText } from "../../src/protocol/outbox.js";
import { usage, workerEvents } from "./events.js";

const ROWS = 10;
const { started, attempt, succeeded, failed, returned, halted } = workerEvents;
const of = (row: unknown): object => ({ ...started, rows: [[row, 1, "r", null, 1]] });

describe("An event of a worker", () => {
  it.each(Object.entries(workerEvents))("may be %s", (_name, event) => {
    expect(isWorkerEvent(event, ROWS)).toBe(true);
    expect(isJournalEvent(event, ROWS)).toBe(true);
  });

  it.each<[string, unknown]>([
    ["no object", "started"],
    ["null", null],
    ["a list", [started]],
    ["without a name", { ...started, event: undefined }],
    ["of an unknown name", { ...started, event: "begun" }],
    ["named like what every object has", { ...started, event: "toString" }],
    ["about row -1", of(-1)],
    ["about a row beyond the run", of(ROWS)],
    ["about row 2^40", of(2 ** 40)],
    ["about half a row", of(0.5)],
    ["about a row in words", of("1")],
    ["whose start has key 0", { ...started, rows: [[0, 0, "r", null, 1]] }],
    ["whose start has a key of text", { ...started, rows: [[0, "1", "r", null, 1]] }],
    ["whose bound is negative", { ...started, rows: [[0, 1, "r", [-1, 0, 0], 1]] }],
    ["whose bound is short", { ...started, rows: [[0, 1, "r", [1, 1], 1]] }],
    ["that was started at no time", { ...started, at: "yesterday" }],
    ["without its worker", { ...started, worker: undefined }],
    ["with number 0", { ...started, seq: 0 }],
    ["with a key that is no integer", { ...attempt, key: 1.5 }],
    ["with an infinite key", { ...attempt, key: Infinity }],
    ["with negative tokens", { ...attempt, usage: { ...usage, inputTokens: -1 } }],
    ["with fractional tokens", { ...attempt, usage: { ...usage, outputTokens: 0.5 } }],
    ["with tokens that are not a number", { ...attempt, usage: { ...usage, outputTokens: NaN } }],
    ["with endless tokens", { ...attempt, usage: { ...usage, cachedInputTokens: Infinity } }],
    ["with negative image tokens", { ...attempt, usage: { ...usage, imageTokens: -1 } }],
    ["without the number of tokens", { ...attempt, usage: { ...usage, reasoningTokens: undefined } }],
    ["billed somehow", { ...attempt, billing: "perhaps" }],
    ["with an error without a code", { ...attempt, error: { ...attempt.error, code: undefined } }],
    ["that succeeded without an output", { ...succeeded, output: undefined }],
    ["whose output has no text", { ...succeeded, output: { reasoning: null, finishReason: "stop" } }],
    ["that failed without an error", { ...failed, error: undefined }],
    ["of another outcome", { ...succeeded, status: "pending" }],
    ["that ended at no time", { ...succeeded, finishedAt: "2026-13" }],
    ["settled for a row beyond the run", { ...succeeded, rowIndex: ROWS }],
    ["reused of nobody", { ...succeeded, reused: {} }],
    ["returned for no reason", { ...returned, reason: "bored" }],
    ["halted without a message", { ...halted, message: undefined }],
    ["of a coordinator", { event: "retry", at: "2026-01-02T03:04:05Z", rowIndexes: [1] }],
  ])("is not one %s", (_what, event) => {
    expect(isWorkerEvent(event, ROWS)).toBe(false);
  });
});

describe("A line of a worker's outbox", () => {
  const own = '{"event":"void","keys":[1]}';

  it("is read with the name and the number that it was given", () => {
    expect(parseWorkerLine(journalText("w", 3, own), "w", ROWS)).toEqual({
      worker: "w",
      seq: 3,
      event: "void",
      keys: [1],
    });
  });

  it.each([
    ["that is no JSON", "{"],
    ["that is two lines", '{"event":"void",\n"keys":[1]}'],
    ["that calls itself another worker", '{"event":"void","keys":[1],"worker":"other"}'],
    ["that calls itself another number", '{"event":"void","keys":[1],"seq":9}'],
    ["of a coordinator", '{"event":"dead","worker":"w"}'],
    ["that is empty", "{}"],
  ])("is refused %s", (_what, text) => {
    expect(parseWorkerLine(journalText("w", 3, text), "w", ROWS)).toBeNull();
  });
});
