import { describe, expect, it } from "vitest";

import { asking, askingNatively, at, paths, post, simulate } from "./calling.js";

const json = { response_format: { type: "json_object" } };
const tool = (name: string) => ({ tools: [{ type: "function", function: { name } }] });

describe("the simulator refuses, with 400 and the vendor's wording,", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["temperature 2", { temperature: 2 }, "Temperature should be in [0.0, 2.0)"],
    ["a temperature in words", { temperature: "0.5" }, "'temperature' must be Float"],
    ["top_p 0", { top_p: 0 }, "Range of top_p should be (0.0, 1.0]"],
    ["top_p above 1", { top_p: 1.01 }, "Range of top_p should be (0.0, 1.0]"],
    ["top_k below 0", { top_k: -1 }, "Parameter top_k be greater than or equal to 0"],
    ["presence_penalty 3", { presence_penalty: 3 }, "Presence_penalty should be in [-2.0, 2.0]"],
    ["repetition_penalty 0", { repetition_penalty: 0 }, "Repetition_penalty should be greater than 0.0"],
    ["n 5", { n: 5 }, "Range of n should be [1, 4]"],
    ["n 2 with tools", { n: 2, ...tool("t") }, "Range of n should be [1, 1]"],
    ["max_tokens 0", { max_tokens: 0 }, "Range of max_tokens should be [1, 65536]"],
    ["a negative seed", { seed: -1 }, "-1 is lesser than the minimum of 0 - 'seed'"],
    ["a seed of 2^31", { seed: 2 ** 31 }, "2147483648 is greater than the maximum of 2147483647 - 'seed'"],
    ["stops of two types", { stop: ["a", 1] }, 'The "stop" parameter must be of type'],
    ["top_logprobs 6", { top_logprobs: 6 }, "top_logprobs"],
    [
      "a thinking budget of 0",
      { thinking_budget: 0 },
      "thinking_budget parameter must be a positive integer",
    ],
    ["json_object without the word", json, "'messages' must contain the word 'json' in some form"],
    ["an unknown response format", { response_format: { type: "xml" } }, "Unknown format of response_format"],
    [
      "json_schema without a schema",
      { response_format: { type: "json_schema" } },
      "Unknown format of response_format",
    ],
    [
      "thinking on a model that cannot",
      { model: "qwen-max", enable_thinking: true },
      "does not support enable_thinking",
    ],
    [
      "no thinking on a model that must",
      { model: "qwq-plus", enable_thinking: false, stream: true },
      "restricted to True",
    ],
    ["a call that is not streamed on a stream-only model", { model: "qwq-plus" }, "only support stream mode"],
    [
      "thinking by default, not streamed",
      { model: "qwen3-32b" },
      "must be set to false for non-streaming calls",
    ],
    [
      "json_schema on a model without it",
      { model: "qwen-max", response_format: { type: "json_schema", json_schema: { name: "x", schema: {} } } },
      "Unknown format of response_format",
    ],
    ["a tool named search", tool("search"), "Tool names are not allowed to be [search]"],
    ["tool_choice required", { ...tool("t"), tool_choice: "required" }, "tool_choice is one of the strings"],
    [
      "a forced tool in thinking",
      { ...tool("t"), tool_choice: { type: "function", function: { name: "t" } }, enable_thinking: true },
      "thinking mode",
    ],
    ["no messages", { messages: [] }, "[] is too short"],
    ["an unknown role", { messages: [{ role: "robot", content: "x" }] }, "'robot' is not one of"],
    ["a message without content", { messages: [{ role: "user" }] }, "The content field is a required field."],
    [
      "parts on a text model",
      { messages: [{ role: "user", content: [{ type: "text", text: "x" }] }] },
      "input content must be a string.",
    ],
    [
      "an image by path",
      {
        model: "qwen3-vl-plus",
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "a.png" } }] }],
      },
      "The provided URL does not appear to be valid",
    ],
    [
      "partial mode in thinking",
      {
        enable_thinking: true,
        messages: [
          { role: "user", content: "x" },
          { role: "assistant", content: "y", partial: true },
        ],
      },
      "Partial mode is not supported",
    ],
    [
      "a prompt beyond the context",
      { model: "qwen-max", messages: [{ role: "user", content: "word ".repeat(30_000) }] },
      "Range of input length should be [1, 30720]",
    ],
  ])("%s", async (_what, more, message) => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking("hello", more));
    expect(at(reply.body, "error", "message")).toContain(message);
    expect(reply.status).toBe(400);
    expect(simulator.calls()).toMatchObject({ answered: 0, tokens: { input: 0 } });
  });

  it("json_object together with thinking", async () => {
    const simulator = await simulate();
    const reply = await post(
      simulator,
      paths.openai,
      asking("JSON please", { ...json, enable_thinking: true }),
    );
    expect(at(reply.body, "error", "message")).toContain(
      "Json mode response is not supported when enable_thinking is true",
    );
  });

  it("an empty user message as ServiceUnavailableError", async () => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking(""));
    expect([reply.status, at(reply.body, "error", "code")]).toEqual([400, "ServiceUnavailableError"]);
  });

  it("native thinking without messages as the result format, or without increments", async () => {
    const simulator = await simulate();
    const plain = await post(
      simulator,
      paths.text,
      askingNatively("x", { enable_thinking: true }, "qwen3-max"),
    );
    expect(at(plain.body, "message")).toContain('result_format parameter must be "message"');
    const body = askingNatively("x", { enable_thinking: true, result_format: "message" }, "qwen3-max");
    const cumulative = await post(simulator, paths.text, body, { "x-dashscope-sse": "enable" });
    expect(cumulative.text).toContain('incremental_output parameter must be \\"true\\"');
  });

  it("a body that is no JSON, and a model that is not named", async () => {
    const simulator = await simulate();
    const broken = await post(simulator, paths.openai, "{");
    expect(at(broken.body, "error", "message")).toContain("Required body invalid");
    const nameless = await post(simulator, paths.openai, { messages: [] });
    expect(at(nameless.body, "error", "message")).toBe("you must provide a model parameter");
  });
});

describe("the simulator", () => {
  it("answers a last message that is not the user's by the 500 that no retry helps", async () => {
    const simulator = await simulate();
    const messages = [
      { role: "user", content: "x" },
      { role: "assistant", content: "y" },
    ];
    const reply = await post(simulator, paths.openai, { model: "qwen-plus", messages });
    expect([reply.status, at(reply.body, "error", "message")]).toEqual([
      500,
      "<500> InternalError.Algo: list index out of range",
    ]);
  });

  it("has no model whose name ends in -nope, and with strictModels none of another family", async () => {
    const loose = await simulate();
    const strict = await simulate({ strictModels: true });
    const nope = asking("x", { model: "gpt-nope" });
    const other = asking("x", { model: "llama-3" });
    const codes = [await post(loose, paths.openai, nope), await post(strict, paths.openai, other)].map(
      (reply) => [reply.status, at(reply.body, "error", "code")],
    );
    expect(codes).toEqual([
      [404, "model_not_found"],
      [404, "model_not_found"],
    ]);
    expect((await post(loose, paths.openai, other)).status).toBe(200);
  });

  it("names an unknown model by the compatible path, and not by the native one, which says it with 400", async () => {
    const simulator = await simulate();
    const compatible = await post(simulator, paths.openai, asking("x", { model: "qwen-nope" }));
    expect(compatible.status).toBe(404);
    expect(at(compatible.body, "error")).toEqual({
      message: "The model `qwen-nope` does not exist or you do not have access to it.",
      type: "invalid_request_error",
      param: null,
      code: "model_not_found",
    });
    const native = await post(simulator, paths.text, askingNatively("x", {}, "qwen-nope"));
    expect(native.status).toBe(400);
    expect(native.body).toMatchObject({ code: "InvalidParameter", message: "Model not exist." });
  });

  it("gives n choices where the model can", async () => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking("x", { n: 3 }));
    expect(at(reply.body, "choices", "length")).toBe(3);
  });

  it("continues a prefix in partial mode without repeating it", async () => {
    const simulator = await simulate();
    const messages = [
      { role: "user", content: "Write on." },
      { role: "assistant", content: "Spring came", partial: true },
    ];
    const reply = await post(simulator, paths.openai, { model: "qwen-plus", messages });
    const text = String(at(reply.body, "choices", 0, "message", "content"));
    expect(text).toContain("[simulated]");
    expect(text).not.toContain("Spring came");
  });

  it("answers GET on a model's path as the vendor does, and counts no call", async () => {
    const simulator = await simulate();
    const response = await fetch(simulator.url + paths.openai);
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining("'GET' is not supported"),
    ]);
    expect(simulator.calls().total).toBe(0);
  });
});
