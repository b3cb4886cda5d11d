import { describe, expect, it } from "vitest";
import type { RowTask } from "../../src/protocol/events.js";
import { ProviderError, type ProviderErrorOptions } from "../../src/provider/index.js";
import type { Answer } from "../../src/types.js";
import type { Permit } from "../../src/worker/pacer.js";
import { attemptRow, type AttemptOptions } from "../../src/worker/row-attempt.js";
import { taskOf } from "../support/tasks.js";
import { usageOf } from "../usage/results.js";

const ATTEMPTS = 3;

function answerOf(text: string, more: Partial<Answer> = {}): Answer {
  return { text, reasoning: null, finishReason: "stop", usage: usageOf(5, 7), requestId: "q1", ...more };
}

function errorOf(options: Partial<ProviderErrorOptions>): ProviderError {
  return new ProviderError("no", {
    disposition: "retryable",
    kind: "server",
    code: "x",
    httpStatus: 500,
    ...options,
  });
}

/** One attempt against a provider that answers or fails as told; `wait` is what the rate limiter says. */
async function attempted(outcome: Answer | Error, task: Partial<RowTask> = {}, wait: number | null = null) {
  const bugs: unknown[] = [];
  const halts: string[] = [];
  const permit: Permit = { succeeded: () => {}, throttled: () => wait ?? 50, failed: () => wait };
  const options: AttemptOptions = {
    provider: {
      call: () => (outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome)),
      close: () => Promise.resolve(),
    },
    attempts: ATTEMPTS,
    timeoutMs: 1_000,
    signal: new AbortController().signal,
    onRunError: ({ code }) => halts.push(code),
    onBug: (error) => bugs.push(error),
  };
  const made = await attemptRow(taskOf(0, "hi", task), permit, options);
  return { made, bugs, halts };
}

describe("one call of a row", () => {
  it("that is answered settles it, with what it cost", async () => {
    const { made } = await attempted(answerOf("fine"), { ended: 1 });
    expect(made).toMatchObject({
      kind: "settled",
      billing: "billed",
      result: {
        status: "succeeded",
        attempts: 2,
        requestId: "q1",
        usage: usageOf(5, 7),
        output: { text: "fine" },
      },
    });
  });

  it("whose tokens nobody knows is billed, with unknown usage", async () => {
    const { made } = await attempted(answerOf("fine", { usage: null }));
    expect(made).toMatchObject({ kind: "settled", billing: "billed", result: { usage: null } });
  });

  it("that fails for a moment is made again, until the attempts are used up", async () => {
    const first = await attempted(errorOf({}));
    expect(first.made).toMatchObject({
      kind: "again",
      attempt: { counts: true, billing: "free", usage: null, error: { code: "x" } },
      task: { ended: 1, unusable: 0 },
    });
    const last = await attempted(errorOf({}), { ended: ATTEMPTS - 1 });
    expect(last.made).toMatchObject({
      kind: "settled",
      billing: "free",
      result: { status: "failed", attempts: ATTEMPTS, error: { kind: "server", code: "x" } },
    });
  });

  it("that is throttled uses up no attempt", async () => {
    const { made } = await attempted(
      errorOf({ disposition: "throttled", kind: "throttled", httpStatus: 429 }),
      {
        ended: ATTEMPTS - 1,
      },
    );
    expect(made).toMatchObject({
      kind: "again",
      waitMs: 50,
      attempt: { counts: false, billing: "free" },
      task: { ended: ATTEMPTS - 1 },
    });
  });

  it("whose end nobody knows may have been billed", async () => {
    const { made } = await attempted(errorOf({ kind: "timeout", code: "timeout", httpStatus: null }));
    expect(made).toMatchObject({ kind: "again", attempt: { counts: true, billing: "possible" } });
  });

  it("that no row would survive gives the row back, and says so", async () => {
    const { made, halts } = await attempted(
      errorOf({ disposition: "run", code: "invalid_api_key", httpStatus: 401 }),
    );
    expect(made).toMatchObject({
      kind: "returned",
      reason: "halted",
      attempt: { counts: false, billing: "free" },
    });
    expect(halts).toEqual(["invalid_api_key"]);
  });

  it("that meets a mistake of our own gives the row back, and is not repeated", async () => {
    const { made, bugs } = await attempted(new TypeError("undefined is not a function"));
    expect(made).toMatchObject({ kind: "returned", attempt: { billing: "possible" } });
    expect(bugs).toHaveLength(1);
  });

  it("uses up money that was reserved, unless it was free; without more the row goes back", async () => {
    const timeout = errorOf({ kind: "timeout", code: "timeout", httpStatus: null });
    expect((await attempted(timeout, { paidCalls: 2 })).made).toMatchObject({
      kind: "again",
      task: { paidCalls: 1 },
    });
    expect((await attempted(timeout, { paidCalls: 1 })).made).toMatchObject({
      kind: "returned",
      reason: "unpaid",
    });
    expect((await attempted(errorOf({}), { paidCalls: 1 })).made).toMatchObject({
      kind: "again",
      task: { paidCalls: 1 },
    });
  });

  it("whose answer does not fit its schema was paid for, and is made again at most twice", async () => {
    const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
    const parameters = {
      responseFormat: { type: "json_schema", jsonSchema: { name: "a", schema } },
    } as const;
    const request = { model: "qwen-plus", messages: [{ role: "user", content: "x" }], parameters } as const;
    const first = await attempted(answerOf("no JSON"), { request });
    expect(first.made).toMatchObject({
      kind: "again",
      attempt: { counts: true, billing: "billed", usage: usageOf(5, 7), error: { kind: "invalid_output" } },
      task: { ended: 1, unusable: 1 },
    });
    const third = await attempted(answerOf("no JSON"), { request, ended: 1, unusable: 2 });
    expect(third.made).toMatchObject({
      kind: "settled",
      billing: "billed",
      result: { status: "failed", output: { text: "no JSON" }, usage: usageOf(5, 7) },
    });
  });
});
