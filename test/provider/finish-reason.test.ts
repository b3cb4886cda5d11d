import { describe, expect, it } from "vitest";
import { finishMeaning, isCut, type FinishMeaning, type ProviderLogEvent } from "../../src/provider/index.js";
import { json } from "./model-server.js";
import { ask, closeAfterEach, failureOf, plainAt, providerAt, startServer, within } from "./providers.js";

closeAfterEach();

describe("a finish reason", () => {
  it.each<[FinishMeaning, string[]]>([
    [
      "done",
      [
        "stop",
        "STOP",
        "end_turn",
        "stop_sequence",
        "eos_token",
        "COMPLETE",
        "FINISH_REASON_STOP",
        "StopSequence",
      ],
    ],
    [
      "cut",
      [
        "length",
        "Length",
        "MAX_TOKENS",
        "max_tokens",
        "max-tokens",
        "model_length",
        "maxTokens",
        "max_output_tokens",
        "model_context_window_exceeded",
      ],
    ],
    [
      "filtered",
      [
        "content_filter",
        "content-filter",
        "SAFETY",
        "RECITATION",
        "PROHIBITED_CONTENT",
        "refusal",
        "sensitive",
        "guardrail_intervened",
        "SPII",
      ],
    ],
    [
      "broken",
      [
        "error",
        "ERROR",
        "insufficient_system_resource",
        "network_error",
        "abort",
        "MALFORMED_FUNCTION_CALL",
        "cancelled",
        "OTHER",
      ],
    ],
    ["tool_calls", ["tool_calls", "tool-calls", "function_call", "tool_use", "TOOL_CALL"]],
  ])("means %s in any spelling", (meaning, reasons) => {
    expect(reasons.map((reason) => finishMeaning(reason))).toStrictEqual(reasons.map(() => meaning));
    expect(reasons.every((reason) => isCut(reason) === (meaning === "cut"))).toBe(true);
  });

  it.each(["", "because", "constructor", "__proto__", "toString", "stopped short"])(
    "may be unknown: %j",
    (reason) => {
      expect(finishMeaning(reason)).toBeNull();
    },
  );
});

describe("an answer", () => {
  const usage = { prompt_tokens: 30, completion_tokens: 4, total_tokens: 34 };
  const body = (choice: object, more = {}): object => ({ id: "f1", choices: [choice], usage, ...more });

  async function provider(...bodies: object[]) {
    const server = await startServer();
    let call = 0;
    server.respond = (received, response) =>
      json(200, bodies[Math.min(call++, bodies.length - 1)])(received, response);
    const events: ProviderLogEvent[] = [];
    return { events, provider: providerAt(plainAt(server.url), { log: (event) => events.push(event) }) };
  }

  it.each<[string, object, object]>([
    [
      "its finish reason",
      { finish_reason: "insufficient_system_resource" },
      { code: "insufficient_system_resource" },
    ],
    ["a bare error", { finish_reason: "error" }, { code: "answer_broken" }],
    [
      "an error in its choice",
      { finish_reason: "error", error: { code: 503, message: "gone" } },
      { httpStatus: 503 },
    ],
    ["an error in its choice alone", { finish_reason: null, error: "gone" }, { code: "error_body" }],
    [
      "a limit upstream",
      { finish_reason: "stop", error: { code: 429, message: "slow down" } },
      { kind: "throttled" },
    ],
    [
      "a key refused upstream",
      { finish_reason: "error", error: { code: 401, message: "no" } },
      { httpStatus: 401 },
    ],
  ])("that is broken off, by %s, is asked for again and was paid for", async (_what, choice, expected) => {
    const { provider: odd } = await provider(body({ message: { content: "Half of" }, ...choice }));
    const failure = await failureOf(odd.call(ask("Hi"), within()));
    expect(failure).toMatchObject({
      disposition: "retryable",
      usage: { inputTokens: 30, outputTokens: 4 },
      ...expected,
    });
    expect(failure.message).toContain("the server broke the answer off");
    expect(failure.mayHaveBeenBilled).toBe(false);
  });

  it("that is broken off without a count may have been billed", async () => {
    const { provider: odd } = await provider(
      body({ message: { content: "Half of" }, finish_reason: "error" }, { usage: null }),
    );
    expect(await failureOf(odd.call(ask("Hi"), within()))).toMatchObject({
      usage: null,
      mayHaveBeenBilled: true,
    });
  });

  it("with an error beside its choice is broken off too, and a moderator's is final", async () => {
    const choice = { message: { content: "Half of" }, finish_reason: "stop" };
    const { provider: odd } = await provider(
      body(choice, { error: { message: "upstream went away" } }),
      body(choice, { error: { message: "The output was flagged by our moderators", code: 403 } }),
    );
    expect(await failureOf(odd.call(ask("Hi"), within()))).toMatchObject({ disposition: "retryable" });
    expect(await failureOf(odd.call(ask("Hi"), within()))).toMatchObject({
      disposition: "row",
      kind: "content_filter",
    });
  });

  it("that a filter emptied fails its row, paid; one that it only shortened is an answer", async () => {
    const { provider: odd } = await provider(
      body({ message: { content: "" }, finish_reason: "SAFETY" }),
      body({ message: { content: "Half of" }, finish_reason: "SAFETY" }),
    );
    const failure = await failureOf(odd.call(ask("Hi"), within()));
    expect(failure).toMatchObject({ disposition: "row", kind: "content_filter", usage: { inputTokens: 30 } });
    expect(await odd.call(ask("Hi"), within())).toMatchObject({ text: "Half of", finishReason: "SAFETY" });
  });

  it("that was cut may be all thinking, whoever says so", async () => {
    const { provider: odd } = await provider(
      body({ message: { content: null, reasoning: "hm" }, finish_reason: "MAX_TOKENS" }),
    );
    expect(await odd.call(ask("Hi"), within())).toMatchObject({
      text: "",
      reasoning: "hm",
      finishReason: "MAX_TOKENS",
    });
  });

  it("with an unknown reason keeps it, and the log hears of it once", async () => {
    const { provider: odd, events } = await provider(
      body({ message: { content: "ok" }, finish_reason: "Tired\u001b[1m" }),
    );
    for (let call = 0; call < 3; call += 1) {
      expect((await odd.call(ask("Hi", {}, "m"), within())).finishReason).toBe("Tired\u001b[1m");
    }
    expect(events).toStrictEqual([
      {
        event: "unknown_finish_reason",
        provider: "openai-compatible",
        model: "m",
        finishReason: "Tired\ufffd[1m",
      },
    ]);
  });
});
