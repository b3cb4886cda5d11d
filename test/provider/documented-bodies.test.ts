import { describe, expect, it } from "vitest";
import { OVERVIEW_DASHSCOPE, OVERVIEW_OPENAI, PRINTED_ANSWER } from "./documented.js";
import { json } from "./model-server.js";
import {
  ask,
  closeAfterEach,
  failureOf,
  plainAt,
  providerAt,
  startServer,
  studioAt,
  within,
} from "./providers.js";

closeAfterEach();

const OVERVIEW_MESSAGES = [
  { role: "system", content: "You are a helpful assistant." },
  { role: "user", content: "你是誰?" },
] as const;

describe("answers of the official overview", () => {
  it("are decoded exactly as printed, OpenAI compatible", async () => {
    const server = await startServer();
    server.respond = json(200, OVERVIEW_OPENAI);
    const request = { model: "qwen-plus", messages: OVERVIEW_MESSAGES, parameters: {} };
    const answer = await providerAt(studioAt(server.url)).call(request, within());
    expect(answer).toStrictEqual({
      text: PRINTED_ANSWER,
      reasoning: null,
      finishReason: "stop",
      usage: { inputTokens: 26, outputTokens: 66, cachedInputTokens: 0, reasoningTokens: 0 },
      requestId: "chatcmpl-81951b98-28b8-9659-ab07-xxxxxx",
    });
    expect(server.last.path).toBe("/compatible-mode/v1/chat/completions");
    expect(server.last.body).toStrictEqual({
      model: "qwen-plus",
      messages: OVERVIEW_MESSAGES,
      enable_thinking: false,
    });
  });

  it("are decoded exactly as printed, DashScope", async () => {
    const server = await startServer();
    server.respond = json(200, OVERVIEW_DASHSCOPE);
    const request = { model: "qwen-plus", messages: OVERVIEW_MESSAGES, parameters: {} };
    const answer = await providerAt(studioAt(server.url, "dashscope")).call(request, within());
    expect(answer).toStrictEqual({
      text: PRINTED_ANSWER,
      reasoning: null,
      finishReason: "stop",
      usage: { inputTokens: 26, outputTokens: 66, cachedInputTokens: 0, reasoningTokens: 0 },
      requestId: "09dceb20-ae2e-999b-85f9-xxxxxx",
    });
    expect(server.last.path).toBe("/api/v1/services/aigc/text-generation/generation");
    expect(server.last.body).toStrictEqual({
      model: "qwen-plus",
      input: { messages: OVERVIEW_MESSAGES },
      parameters: { result_format: "message", enable_thinking: false },
    });
  });

  it("are asked for as the overview does with an image, on both protocols", async () => {
    const server = await startServer();
    const url = "https://help-static-aliyun-doc.aliyuncs.com/f26d201b.png";
    const request = {
      model: "qwen3-vl-plus",
      messages: [
        {
          role: "user",
          content: [
            { type: "image", url },
            { type: "text", text: "請問圖片展現了有哪些商品?" },
          ],
        },
      ],
      parameters: {},
    } as const;
    server.respond = json(200, OVERVIEW_OPENAI);
    await providerAt(studioAt(server.url)).call(request, within());
    expect(server.last.body["messages"]).toStrictEqual([
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url } },
          { type: "text", text: "請問圖片展現了有哪些商品?" },
        ],
      },
    ]);
    server.respond = json(200, {
      output: {
        choices: [{ finish_reason: "stop", message: { role: "assistant", content: [{ text: "商品" }] } }],
      },
      usage: { input_tokens: 1277, output_tokens: 81, image_tokens: 1247 },
      request_id: "r-1",
    });
    const answer = await providerAt(studioAt(server.url, "dashscope")).call(request, within());
    expect(server.last.path).toBe("/api/v1/services/aigc/multimodal-generation/generation");
    expect(server.last.body["input"]).toStrictEqual({
      messages: [{ role: "user", content: [{ image: url }, { text: "請問圖片展現了有哪些商品?" }] }],
    });
    expect(answer.text).toBe("商品");
    expect(answer.usage).toStrictEqual({
      inputTokens: 1277,
      outputTokens: 81,
      cachedInputTokens: 0,
      reasoningTokens: 0,
      imageTokens: 1247,
    });
  });
});

describe("other shapes of an answer", () => {
  it("reads the native text shape", async () => {
    const server = await startServer();
    server.respond = json(200, {
      output: { text: "Hallo", finish_reason: "stop" },
      usage: { input_tokens: 3, output_tokens: 1 },
      request_id: "r-2",
    });
    const answer = await providerAt(studioAt(server.url, "dashscope")).call(ask("Hi"), within());
    expect(answer).toMatchObject({ text: "Hallo", finishReason: "stop", requestId: "r-2" });
  });

  it("lets a tool_calls finish succeed with the calls and no text", async () => {
    const server = await startServer();
    const call = {
      id: "call_1",
      type: "function",
      function: { name: "weather", arguments: '{"city":"杭州"}' },
    };
    server.respond = json(200, {
      choices: [
        { message: { role: "assistant", content: null, tool_calls: [call] }, finish_reason: "tool_calls" },
      ],
      usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 },
    });
    const answer = await providerAt(studioAt(server.url)).call(ask("Weather?"), within());
    expect(answer).toMatchObject({ text: "", finishReason: "tool_calls", toolCalls: [call] });
  });

  it("takes an answer cut by length although all of it was thinking", async () => {
    const server = await startServer();
    server.respond = json(200, {
      choices: [{ message: { content: null, reasoning_content: "hmm" }, finish_reason: "length" }],
      usage: { prompt_tokens: 9, completion_tokens: 5, completion_tokens_details: { reasoning_tokens: 5 } },
    });
    const answer = await providerAt(studioAt(server.url)).call(ask("Think"), within());
    expect(answer).toMatchObject({
      text: "",
      reasoning: "hmm",
      finishReason: "length",
      usage: { thinking: true },
    });
  });

  it("joins a partial-mode prefix with its continuation", async () => {
    const server = await startServer();
    server.respond = json(200, OVERVIEW_OPENAI.replace(PRINTED_ANSWER, " 2."));
    const request = {
      model: "qwen-plus",
      messages: [
        { role: "user", content: "1 + 1?" },
        { role: "assistant", content: "The sum is", partial: true },
      ],
      parameters: {},
    } as const;
    const answer = await providerAt(studioAt(server.url)).call(request, within());
    expect(answer.text).toBe("The sum is 2.");
    expect(server.last.body["messages"]).toStrictEqual(request.messages);
  });

  it("does not know what a local server that counts nothing was billed for", async () => {
    const server = await startServer();
    server.respond = json(200, { choices: [{ message: { content: "ok" }, finish_reason: "stop" }] });
    const answer = await providerAt(plainAt(server.url), { apiKey: null }).call(
      ask("Hi", {}, "llama"),
      within(),
    );
    expect(answer.usage).toBeNull();
    expect(server.last.headers.authorization).toBeUndefined();
    expect(server.last.body).toStrictEqual({ model: "llama", messages: [{ role: "user", content: "Hi" }] });
  });

  it.each([
    ["an empty body", "", "malformed_json", null],
    ["HTML", "<html>busy</html>", "malformed_json", null],
    ["truncated JSON", OVERVIEW_OPENAI.slice(0, 300), "malformed_json", null],
    ["null", "null", "bad_response", null],
    ["no choices", '{"id":"x"}', "bad_response", null],
    [
      "empty choices with usage",
      '{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}',
      "bad_response",
      4,
    ],
    [
      "a message without text",
      '{"choices":[{"message":{"content":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}',
      "bad_response",
      5,
    ],
    [
      "native output without text",
      '{"output":{},"usage":{"input_tokens":6,"output_tokens":1}}',
      "bad_response",
      6,
    ],
  ])(
    "fails retryably on %s, keeping the usage it was billed with",
    async (_what, body, code, inputTokens) => {
      const server = await startServer();
      server.respond = json(200, body);
      const failure = await failureOf(providerAt(studioAt(server.url)).call(ask("Hi"), within()));
      expect(failure).toMatchObject({
        disposition: "retryable",
        kind: "bad_response",
        code,
        httpStatus: 200,
      });
      expect(failure.usage?.inputTokens ?? null).toBe(inputTokens);
    },
  );

  it("calls a content_filter finish without text a refusal of the row, billed", async () => {
    const server = await startServer();
    server.respond = json(200, {
      choices: [{ message: { content: "" }, finish_reason: "content_filter" }],
      usage: { prompt_tokens: 9, completion_tokens: 0 },
    });
    const failure = await failureOf(providerAt(studioAt(server.url)).call(ask("Hi"), within()));
    expect(failure).toMatchObject({ disposition: "row", kind: "content_filter", usage: { inputTokens: 9 } });
  });
});
