import type { WorkerEvent } from "../../src/protocol/events.js";
import { settled } from "../support/journal.js";
import { answered, refused } from "../support/results.js";

export const usage = { inputTokens: 10, outputTokens: 5, cachedInputTokens: 0, reasoningTokens: 0 };
const at = "2026-01-02T03:04:05.678Z";
const from = { worker: "w1", seq: 4 } as const;
const call = { key: 7, rowIndex: 1, customId: "r1", model: "qwen-plus" } as const;
const so = { event: "attempt", at, counts: true, billing: "billed", usage: null } as const;

/** One event of each kind that a worker sends, about a run of ten rows. */
export const workerEvents = {
  started: {
    event: "started",
    ...from,
    at,
    model: "qwen-plus",
    fence: 1,
    rows: [
      [0, 1, "r0", [1000, 500.5, 3], 1],
      [9, 2, "r9", null, 1],
    ],
  },
  attempt: {
    ...so,
    ...from,
    ...call,
    usage,
    callBound: { inputTokens: 1, outputTokens: 2 },
    error: { kind: "server", code: "http_500", message: "no", httpStatus: 500 },
    translated: { text: "so far", upTo: 7, parts: 1, finishReason: "stop" },
  },
  succeeded: { ...settled(answered(1, "yes", { usage }), { key: 7 }), ...from } as WorkerEvent,
  failed: { ...settled(refused(2), { key: 8 }), ...from } as WorkerEvent,
  returned: { event: "returned", ...from, lease: 1, fence: 1, rows: [1, 2], reason: "stopping" },
  void: { event: "void", ...from, keys: [1, 2] },
  halted: { event: "halted", ...from, code: "arrears", message: "pay first" },
} satisfies Record<string, WorkerEvent>;
