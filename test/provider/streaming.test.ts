import { describe, expect, it } from "vitest";
import { events, json } from "./model-server.js";
import { OVERVIEW_OPENAI } from "./documented.js";
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

const DONE = "data: [DONE]\n\n";
const piece = (content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content }, finish_reason: finish }] })}\n\n`;
const usage = 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n';

describe("which calls are streamed", () => {
  it.each([
    ["a thinking row", "qwen-plus", { enableThinking: true }, true, true],
    ["a row with a thinking budget", "qwen3.5-plus", { thinkingBudget: 100 }, true, true],
    ["a plain row", "qwen-plus", {}, undefined, false],
    ["a model that thinks by default, not asked to", "qwen3.5-plus", {}, undefined, false],
    ["a stream-only model", "qwq-plus", {}, true, undefined],
    ["a model that always thinks", "qwen3-235b-a22b-thinking-2507", {}, true, undefined],
    ["a long answer", "qwen-plus", { maxTokens: 20_000 }, true, false],
    ["an unknown model", "somebody-else", {}, undefined, undefined],
  ] as const)("%s", async (_what, model, parameters, stream, enableThinking) => {
    const server = await startServer();
    server.respond =
      stream === true ? events(piece("ok", "stop") + usage + DONE) : json(200, OVERVIEW_OPENAI);
    await providerAt(studioAt(server.url)).call(ask("Hi", parameters, model), within());
    expect(server.last.body["stream"]).toBe(stream);
    expect(server.last.body["stream_options"]).toStrictEqual(
      stream === true ? { include_usage: true } : undefined,
    );
    expect(server.last.body["enable_thinking"]).toBe(enableThinking);
  });

  it("a translation model never, since some of its chunks repeat what went before", async () => {
    const server = await startServer();
    server.respond = json(200, OVERVIEW_OPENAI);
    const parameters = {
      maxTokens: 9000,
      translationOptions: { source_lang: "auto", target_lang: "English" },
    };
    await providerAt(studioAt(server.url)).call(ask("你好", parameters, "qwen-mt-plus"), within());
    expect(server.last.body).toStrictEqual({
      model: "qwen-mt-plus",
      messages: [{ role: "user", content: "你好" }],
      max_tokens: 9000,
      translation_options: { source_lang: "auto", target_lang: "English" },
    });
  });

  it("native streams ask for increments and by header", async () => {
    const server = await startServer();
    server.respond = events(
      'id:1\nevent:result\ndata:{"output":{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]},"usage":{"input_tokens":1,"output_tokens":1},"request_id":"r"}\n\n',
    );
    await providerAt(studioAt(server.url, "dashscope")).call(ask("Hi", { enableThinking: true }), within());
    expect(server.last.headers["x-dashscope-sse"]).toBe("enable");
    expect(server.last.body["parameters"]).toStrictEqual({
      result_format: "message",
      incremental_output: true,
      enable_thinking: true,
    });
  });

  it("plain servers hear of thinking only what the job says", async () => {
    const server = await startServer();
    server.respond = json(200, OVERVIEW_OPENAI);
    const provider = providerAt(plainAt(server.url));
    await provider.call(ask("Hi", {}, "qwen3.5-plus"), within());
    expect(server.last.body).not.toHaveProperty("enable_thinking");
    await provider.call(ask("Hi", { enableThinking: false }, "qwen3.5-plus"), within());
    expect(server.last.body["enable_thinking"]).toBe(false);
  });
});

describe("streams that are not as they should be", () => {
  const thinking = ask("Hi", { enableThinking: true });

  it("a server that answers at once instead is understood", async () => {
    const server = await startServer();
    server.respond = json(200, OVERVIEW_OPENAI);
    const answer = await providerAt(studioAt(server.url)).call(thinking, within());
    expect(answer).toMatchObject({ finishReason: "stop", usage: { outputTokens: 66, thinking: true } });
  });

  it("a stream without [DONE] or usage but with a finish reason is an answer", async () => {
    const server = await startServer();
    server.respond = events(piece("ok", "stop"));
    const answer = await providerAt(studioAt(server.url)).call(thinking, within());
    expect(answer).toMatchObject({ text: "ok", usage: null });
  });

  it("a stream that ends early is retryable, with what it was billed", async () => {
    const server = await startServer();
    server.respond = events(piece("o") + usage);
    const failure = await failureOf(providerAt(studioAt(server.url)).call(thinking, within()));
    expect(failure).toMatchObject({
      disposition: "retryable",
      kind: "bad_response",
      code: "truncated_stream",
      usage: { inputTokens: 7 },
    });
  });

  it("a connection that breaks after the answer and its usage loses nothing", async () => {
    const server = await startServer();
    server.respond = (_call, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(piece("ok", "stop") + usage, () => response.destroy());
    };
    const answer = await providerAt(studioAt(server.url)).call(thinking, within());
    expect(answer).toMatchObject({ text: "ok", usage: { inputTokens: 7, outputTokens: 3 } });
  });

  it("a stream that is done is answered although the server holds it open", async () => {
    const server = await startServer();
    server.respond = (_call, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(piece("ok", "stop") + usage + DONE);
    };
    await expect(providerAt(studioAt(server.url)).call(thinking, within(60_000))).resolves.toMatchObject({
      text: "ok",
    });
  });
});
