import { describe, expect, it } from "vitest";
import { simulatedModel } from "../support/simulator.js";
import { build, problemOf, rowsJob } from "../job/fixtures.js";
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

describe("a line of an OpenAI batch file", () => {
  const line = (body: object, more: object = {}): Record<string, unknown> => ({
    custom_id: "request-1",
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: "qwen-plus", messages: [{ role: "user", content: "hi" }], ...body },
    ...more,
  });

  it("is a prompt row with an id, a model and parameters of its own", () => {
    const schema = { type: "object" };
    const { customId, request } = build(
      { ...rowsJob, parameters: { seed: 1, extra: { a: 1 } }, preset: "factual_qa" },
      line({
        model: "qwen-max",
        temperature: 0.5,
        max_tokens: 10,
        seed: 7,
        stop: ["END"],
        enable_thinking: false,
        frequency_penalty: 0.5,
        response_format: { type: "json_schema", json_schema: { name: "x", schema, strict: true } },
        user: null,
        stream: true,
      }),
    );
    expect(customId).toBe("request-1");
    expect(request).toEqual({
      model: "qwen-max",
      messages: [{ role: "user", content: "hi" }],
      parameters: {
        temperature: 0.5,
        topP: 0.7,
        maxTokens: 10,
        seed: 7,
        stop: ["END"],
        enableThinking: false,
        responseFormat: { type: "json_schema", jsonSchema: { name: "x", schema, strict: true } },
        extra: { a: 1, frequency_penalty: 0.5 },
      },
    });
  });

  it.each([
    ["another endpoint", line({}, { url: "/v1/embeddings" }), /column url: expected \/v1\/chat\/completions/],
    ["another method", line({}, { method: "GET" }), /column method: expected POST/],
    ["no messages", line({ messages: null }), /column body\.messages: expected a list of messages/],
    [
      "a parameter out of range",
      line({ seed: -1 }),
      /column body\.seed: expected a whole number in .*, received -1/,
    ],
    ["several answers", line({ n: 2 }), /column body\.n: expected 1/],
    ["messages without an end", line({ messages: [{ role: "assistant", content: "x" }] }), /user last/],
  ])("is refused for %s", (_what, values, message) => {
    expect(problemOf(rowsJob, values).message).toMatch(message);
  });

  it("is called as it stands, with its custom_id in the journal, which must be unique", async () => {
    const simulator = await simulatedModel();
    const rows = [line({ max_tokens: 5 }), line({}, { custom_id: "request-2" })];
    const done = await runRows({ model: "qwen-plus" }, rows, { simulator });
    expect(done.journal.map(({ customId, status }) => `${customId} ${status}`).sort()).toEqual([
      "request-1 succeeded",
      "request-2 succeeded",
    ]);
    await expect(runRows({ model: "qwen-plus" }, [line({}), line({})], { simulator })).rejects.toMatchObject({
      code: "id_duplicate",
    });
  });
});

describe("a row of ShareGPT data", () => {
  it("is a prompt row when a human has the last word", () => {
    const { request } = build(rowsJob, {
      id: "c1",
      system: "Be brief.",
      conversations: [
        { from: "human", value: "hi" },
        { from: "gpt", value: "hello" },
        { role: "user", content: "bye" },
      ],
    });
    expect(request.messages).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "hi" },
      { role: "assistant", content: "hello" },
      { role: "user", content: "bye" },
    ]);
  });

  it.each([
    [
      "it ends with the answer",
      [
        { from: "human", value: "a" },
        { from: "gpt", value: "b" },
      ],
      /jq -c/,
    ],
    [
      "it has turns of tools",
      [{ from: "function_call", value: "a" }],
      /conversations\[0\]\.from: expected human, gpt or system/,
    ],
  ])("is refused, with what to do, when %s", (_what, conversations, message) => {
    expect(problemOf(rowsJob, { conversations }).message).toMatch(message);
  });
});
