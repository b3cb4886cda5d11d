import { describe, expect, it } from "vitest";
import { planCall } from "../../src/provider/call-plan.js";
import { dashScopeBody, openAiBody } from "../../src/provider/encode-request.js";
import { resolveEndpoint } from "../../src/provider/index.js";
import type { ModelRequest, Parameters } from "../../src/types.js";
import { json } from "./model-server.js";
import { OVERVIEW_OPENAI } from "./documented.js";
import { closeAfterEach, providerAt, startServer, studioAt, within } from "./providers.js";

closeAfterEach();

const EVERYTHING: Required<Omit<Parameters, "enableThinking" | "translationOptions">> = {
  temperature: 0.3,
  topP: 0.8,
  topK: 20,
  presencePenalty: 0.5,
  repetitionPenalty: 1.1,
  seed: 7,
  maxTokens: 100,
  maxCompletionTokens: 200,
  stop: ["\n\n", "END"],
  thinkingBudget: 50,
  reasoningEffort: "high",
  responseFormat: {
    type: "json_schema",
    jsonSchema: { name: "a", schema: { type: "object" }, strict: true },
  },
  logprobs: true,
  topLogprobs: 2,
  tools: [{ type: "function", function: { name: "f" } }],
  toolChoice: "auto",
  parallelToolCalls: false,
  enableSearch: true,
  searchOptions: { forced_search: true },
  vlHighResolutionImages: true,
  thinkTags: "keep",
  extra: { top_k: 5, new_parameter: { a: 1 } },
};

const ON_THE_WIRE = {
  temperature: 0.3,
  top_p: 0.8,
  top_k: 5,
  presence_penalty: 0.5,
  repetition_penalty: 1.1,
  seed: 7,
  max_tokens: 100,
  max_completion_tokens: 200,
  stop: ["\n\n", "END"],
  enable_thinking: true,
  thinking_budget: 50,
  reasoning_effort: "high",
  response_format: {
    type: "json_schema",
    json_schema: { name: "a", schema: { type: "object" }, strict: true },
  },
  logprobs: true,
  top_logprobs: 2,
  tools: [{ type: "function", function: { name: "f" } }],
  tool_choice: "auto",
  parallel_tool_calls: false,
  enable_search: true,
  search_options: { forced_search: true },
  vl_high_resolution_images: true,
  new_parameter: { a: 1 },
};

const endpoint = resolveEndpoint(
  { provider: "model-studio", region: "singapore", protocol: "openai" },
  {},
  {},
);

describe("parameters on the wire", () => {
  const request: ModelRequest = {
    model: "qwen3.5-plus",
    messages: [{ role: "user", content: "Hi" }],
    parameters: EVERYTHING,
  };
  const plan = planCall(request, endpoint, false);

  it("stand at the top level of a compatible call, extra last", () => {
    expect(JSON.parse(openAiBody(request, plan))).toStrictEqual({
      model: "qwen3.5-plus",
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
      stream_options: { include_usage: true },
      ...ON_THE_WIRE,
    });
  });

  it("stand in parameters of a native call, with result_format and increments", () => {
    expect(JSON.parse(dashScopeBody(request, plan, "multimodal-generation"))).toStrictEqual({
      model: "qwen3.5-plus",
      input: { messages: [{ role: "user", content: [{ text: "Hi" }] }] },
      parameters: { result_format: "message", incremental_output: true, ...ON_THE_WIRE },
    });
  });
});

describe("messages on the wire", () => {
  const request: ModelRequest = {
    model: "qwen3-vl-plus",
    messages: [
      { role: "system", content: "Look." },
      {
        role: "user",
        content: [
          { type: "video", url: "https://h/v.mp4" },
          { type: "image", url: "data:image/png;base64,AAAA" },
          { type: "text", text: "What?" },
        ],
      },
      { role: "assistant", content: "", toolCalls: [{ id: "c" }] },
      { role: "tool", content: "5", toolCallId: "c" },
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
    ],
    parameters: {},
  };
  const plan = planCall(request, endpoint, false);

  it("have the compatible protocol's parts and names; text alone is a string", () => {
    expect((JSON.parse(openAiBody(request, plan)) as { messages: unknown }).messages).toStrictEqual([
      { role: "system", content: "Look." },
      {
        role: "user",
        content: [
          { type: "video_url", video_url: { url: "https://h/v.mp4" } },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "text", text: "What?" },
        ],
      },
      { role: "assistant", content: "", tool_calls: [{ id: "c" }] },
      { role: "tool", content: "5", tool_call_id: "c" },
      { role: "user", content: "ab" },
    ]);
  });

  it("are arrays throughout on the multimodal service", () => {
    const body = JSON.parse(dashScopeBody(request, plan, "multimodal-generation")) as { input: unknown };
    expect(body.input).toStrictEqual({
      messages: [
        { role: "system", content: [{ text: "Look." }] },
        {
          role: "user",
          content: [{ video: "https://h/v.mp4" }, { image: "data:image/png;base64,AAAA" }, { text: "What?" }],
        },
        { role: "assistant", content: [{ text: "" }], tool_calls: [{ id: "c" }] },
        { role: "tool", content: [{ text: "5" }], tool_call_id: "c" },
        { role: "user", content: [{ text: "a" }, { text: "b" }] },
      ],
    });
  });

  it("with a temporary upload carry the header that resolves it, others do not", async () => {
    const server = await startServer();
    server.respond = json(200, OVERVIEW_OPENAI);
    const provider = providerAt(studioAt(server.url));
    await provider.call(request, within());
    expect(server.last.headers["x-dashscope-ossresourceresolve"]).toBeUndefined();
    const image = { type: "image", url: "oss://dashscope-instant/a.png" } as const;
    await provider.call({ ...request, messages: [{ role: "user", content: [image] }] }, within());
    expect(server.last.headers["x-dashscope-ossresourceresolve"]).toBe("enable");
    expect(server.last.headers.authorization).toMatch(/^Bearer sk-/);
  });

  it("survive as they are, lone surrogates and template braces too", () => {
    const content = 'a"\\\u0000\ud800 {{ x }} 你好 🤔';
    const body = openAiBody(
      { model: "qwen-plus", messages: [{ role: "user", content }], parameters: {} },
      plan,
    );
    expect((JSON.parse(body) as { messages: { content: string }[] }).messages[0]?.content).toBe(content);
  });
});
