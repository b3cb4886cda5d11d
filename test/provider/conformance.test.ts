import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  compileSchema,
  createProvider,
  parseStructured,
  resolveEndpoint,
  structuredOutputFor,
} from "../../src/provider/index.js";
import type { Disposition, Endpoint, Provider } from "../../src/provider/index.js";
import { startSimulator } from "../../src/simulator/index.js";
import type { SimulatedFault, Simulator, VendorErrorName } from "../../src/simulator/index.js";
import type { ModelRequest } from "../../src/types.js";
import { ask, failureOf, within } from "./providers.js";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator({ slowBodyMs: 2000 });
});
afterAll(() => simulator.close());

const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABQAAAAUCAIAAAAC64paAAAAFElEQVR42mNk+M9QzzAKRsEoGAUAMqgCAbS1gxkAAAAASUVORK5CYII=";

/** What each class of the vendor's errors means, by the simulator's name of it. */
const MEANING: Readonly<Record<VendorErrorName, Disposition>> = {
  rate_limit: "throttled",
  burst_rate: "throttled",
  token_quota: "throttled",
  current_quota: "throttled",
  throttling: "throttled",
  server_error: "retryable",
  algorithm_error: "retryable",
  internal_timeout: "retryable",
  system_error: "retryable",
  model_service_failed: "retryable",
  model_serving_error: "retryable",
  capacity: "retryable",
  model_unavailable: "retryable",
  request_timeout: "retryable",
  request_timeout_408: "retryable",
  media_timeout: "retryable",
  media_inspection_timeout: "retryable",
  file_parsing: "retryable",
  invalid_parameter: "row",
  context_length: "row",
  algorithm_invalid_parameter: "row",
  content_inspection: "row",
  content_inspection_in_message: "row",
  intellectual_property: "row",
  faq_rule: "row",
  custom_role: "row",
  invalid_url: "row",
  invalid_file: "row",
  bad_request: "row",
  too_large: "row",
  empty_content: "row",
  role_error: "row",
  index_error: "row",
  missing_content_length: "row",
  invalid_api_key: "run",
  not_authorized: "run",
  invalid_access_token: "run",
  arrearage: "run",
  access_denied: "run",
  unpurchased: "run",
  model_access_denied: "run",
  workspace_access_denied: "run",
  free_tier_only: "run",
  model_not_found: "run",
  model_not_supported: "run",
  workspace_not_found: "run",
  free_quota_exceeded: "run",
  not_purchased: "run",
  prepaid_overdue: "run",
  postpaid_overdue: "run",
};

describe.each(["openai", "dashscope"] as const)(
  "every feature over the simulator, %s protocol",
  (protocol) => {
    let endpoint: Endpoint;
    let provider: Provider;

    beforeAll(() => {
      const environment = { PROMPTMILL_SIMULATOR_URL: simulator.url };
      endpoint = resolveEndpoint({ provider: "simulator", region: null, protocol }, {}, environment);
      provider = createProvider(endpoint, { apiKey: null, connections: 8 });
    });
    afterAll(() => provider.close());
    beforeEach(() => simulator.reset());

    it("a plain row is answered in one call, with usage and an id", async () => {
      const answer = await provider.call(ask("Hello [[sim:answer=你好, world]]"), within());
      expect(answer).toMatchObject({ text: "你好, world", reasoning: null, finishReason: "stop" });
      expect(answer.usage?.inputTokens).toBeGreaterThan(0);
      expect(answer.usage?.outputTokens).toBeGreaterThan(0);
      expect(answer.requestId).not.toBeNull();
      expect(simulator.calls()).toMatchObject({ total: 1, answered: 1 });
    });

    it.each([
      "qwen-plus",
      "qwen3-max",
      "qwen3.5-plus",
      "qwen3-vl-plus",
      "qwq-plus",
      "qwen3-8b",
      "qwen3-omni-flash",
    ])("%s is answered at the first try: family, thinking and streaming are right", async (model) => {
      await provider.call(ask("Hello", {}, model), within());
      expect(simulator.calls()).toMatchObject({ total: 1, answered: 1 });
    });

    it.each(["qwen-plus", "qwen3-max", "qwen3.5-plus", "qwen3-vl-plus", "qwen3-8b", "deepseek-v3.2"])(
      "%s thinks when asked to, apart from its answer, wherever the stream is cut",
      async (model) => {
        for (const fragment of [1, 7, 64]) {
          const prompt = `Hi [[sim:fragment=${fragment}]] [[sim:reasoning=想🤔\nhard]] [[sim:answer=四\n4]]`;
          const answer = await provider.call(ask(prompt, { enableThinking: true }, model), within());
          expect(answer).toMatchObject({ text: "四\n4", reasoning: "想🤔\nhard", finishReason: "stop" });
          expect(answer.usage?.thinking).toBe(true);
          expect(answer.usage?.reasoningTokens).toBeGreaterThan(0);
        }
      },
    );

    it("usage is read as told, cached and written tokens too", async () => {
      const marker = "[[sim:input_tokens=900;output_tokens=50;cached=300;cache_write=200]]";
      for (const enableThinking of [false, true]) {
        const { usage } = await provider.call(ask(`Hi ${marker}`, { enableThinking }), within());
        expect(usage).toMatchObject({
          inputTokens: 900,
          outputTokens: 50,
          cachedInputTokens: 300,
          cacheWriteTokens: 200,
        });
      }
      const bare = await provider.call(ask("Hi [[sim:usage=plain]]"), within());
      expect(bare.usage).toMatchObject({ cachedInputTokens: 0, reasoningTokens: 0 });
    });

    it("images and a video go with their text", async () => {
      const request: ModelRequest = {
        model: "qwen3-vl-plus",
        messages: [
          { role: "system", content: "Describe." },
          {
            role: "user",
            content: [
              { type: "image", url: PIXEL },
              { type: "image", url: "https://example.com/a.png" },
              { type: "video", url: "https://example.com/a.mp4" },
              { type: "text", text: "What is this?" },
            ],
          },
        ],
        parameters: {},
      };
      const answer = await provider.call(request, within());
      expect(answer.text).not.toBe("");
      expect(answer.usage?.imageTokens).toBeGreaterThan(0);
    });

    it("an unlisted model with an image finds its family", async () => {
      const messages = [{ role: "user", content: [{ type: "image", url: PIXEL }] }] as const;
      await expect(
        provider.call({ model: "qwen2.5-vl-72b-instruct", messages, parameters: {} }, within()),
      ).resolves.toBeDefined();
    });

    it.each(["qwen-plus", "qwen3.5-plus", "qwen-turbo"])(
      "structured output of %s fits its schema",
      async (model) => {
        const schema = {
          type: "object",
          properties: { label: { enum: ["good", "bad"] }, score: { type: "number" } },
          required: ["label", "score"],
          additionalProperties: false,
        };
        const { responseFormat, instruction } = structuredOutputFor(model, schema, false);
        const messages = [
          { role: "system", content: instruction ?? "Rate the text." },
          { role: "user", content: "Nice." },
        ] as const;
        const answer = await provider.call({ model, messages, parameters: { responseFormat } }, within());
        expect(parseStructured(answer.text, compileSchema(schema))).toHaveProperty("value");
        const fenced = [
          messages[0],
          { role: "user", content: "Nice. [[sim:fault=fenced_json_output]]" },
        ] as const;
        const wrapped = await provider.call(
          { model, messages: fenced, parameters: { responseFormat } },
          within(),
        );
        expect(wrapped.text).toContain("```");
        expect(parseStructured(wrapped.text, compileSchema(schema))).toHaveProperty("value");
        const unfit = [
          messages[0],
          { role: "user", content: "Nice. [[sim:fault=invalid_json_output]]" },
        ] as const;
        const wrong = await provider.call(
          { model, messages: unfit, parameters: { responseFormat } },
          within(),
        );
        expect(parseStructured(wrong.text, compileSchema(schema))).toHaveProperty("problem");
      },
    );

    it.each(["qwen-mt-plus", "qwen-mt-flash", "qwen-mt-turbo"])(
      "%s translates one user message",
      async (model) => {
        const translationOptions = {
          source_lang: "auto",
          target_lang: "English",
          terms: [{ source: "生物传感器", target: "biological sensor" }],
          domains: "A sentence from a biology paper.",
        };
        const answer = await provider.call(
          ask("生物传感器运用了石墨烯", { translationOptions }, model),
          within(),
        );
        expect(answer.text).toContain("biological sensor");
        expect(simulator.calls()).toMatchObject({ total: 1 });
      },
    );

    it("tools are called and the calls come back, streamed or not", async () => {
      const tools = [
        {
          type: "function",
          function: {
            name: "weather",
            parameters: { type: "object", properties: { city: { type: "string" } } },
          },
        },
      ];
      for (const enableThinking of [false, true]) {
        const answer = await provider.call(ask("Weather in 杭州?", { tools, enableThinking }), within());
        expect(answer).toMatchObject({ finishReason: "tool_calls", text: "" });
        const [call] = (answer.toolCalls ?? []) as { function: { name: string; arguments: string } }[];
        expect(call?.function.name).toBe("weather");
        expect(() => JSON.parse(call?.function.arguments ?? "") as unknown).not.toThrow();
      }
    });

    it("partial mode continues a prefix, several turns are sent as they are", async () => {
      const messages = [
        { role: "user", content: "Tell a story" },
        { role: "assistant", content: "Which?" },
        { role: "user", content: "A short one" },
        { role: "assistant", content: "Once upon a time", partial: true },
      ] as const;
      const answer = await provider.call({ model: "qwen-plus", messages, parameters: {} }, within());
      expect(answer.text).toMatch(/^Once upon a time.+/s);
    });

    it("an answer cut by its limit is an answer", async () => {
      const answer = await provider.call(ask("Hi [[sim:finish=length]]"), within());
      expect(answer.finishReason).toBe("length");
    });

    it("an answer taken by the content check fails the row", async () => {
      const failure = await failureOf(provider.call(ask("Hi [[sim:fault=content_filter]]"), within()));
      expect(failure).toMatchObject({ disposition: "row", kind: "content_filter" });
    });

    it.each(Object.entries(MEANING))("%s is %s, and none is unknown", async (fault, disposition) => {
      const unknown: unknown[] = [];
      // What a timeout teaches about a model (to stream it) stays with this one.
      const model = fault.includes("timeout") ? "qwen-flash" : "qwen-plus";
      // One that nothing has answered yet: what would end a run is else judged by what has worked.
      const log = (event: unknown): number => unknown.push(event);
      const untried = createProvider(endpoint, { apiKey: null, connections: 1, log });
      const failure = await failureOf(untried.call(ask(`Hi [[sim:fault=${fault}]]`, {}, model), within()));
      expect(failure.disposition).toBe(disposition);
      expect(unknown.filter((event) => (event as { event: string }).event === "unknown_error")).toStrictEqual(
        [],
      );
      await untried.close();
    });

    it.each<[SimulatedFault, string]>([
      ["connection_reset", "network"],
      ["reset_after_answer", "network"],
      ["malformed_json", "bad_response"],
      ["empty_body", "bad_response"],
      ["bad_gateway", "server"],
    ])("%s is worth another attempt, as %s", async (fault, kind) => {
      const failure = await failureOf(provider.call(ask(`Hi [[sim:fault=${fault};times=1]]`), within()));
      expect(failure).toMatchObject({ disposition: "retryable", kind });
      await expect(provider.call(ask(`Hi [[sim:fault=${fault};times=1]]`), within())).resolves.toBeDefined();
    });

    it("a body that was cut is worth another attempt", async () => {
      const failure = await failureOf(provider.call(ask("Hi [[sim:fault=truncated_body]]"), within()));
      expect(failure.disposition).toBe("retryable");
      expect(["network", "bad_response"]).toContain(failure.kind);
    });

    it.each(["hang", "slow_body"])("%s runs into the timeout", async (fault) => {
      const failure = await failureOf(provider.call(ask(`Hi [[sim:fault=${fault}]]`), within(150)));
      expect(failure).toMatchObject({ disposition: "retryable", kind: "timeout" });
    });

    it.each([
      ["stream_error", "retryable", "server"],
      ["stream_throttled", "throttled", "throttled"],
      ["stalled_stream", "retryable", "timeout"],
    ] as const)("%s in mid-stream is %s", async (fault, disposition, kind) => {
      const call = provider.call(
        ask(`Hi there, you [[sim:fault=${fault}]]`, { enableThinking: true }),
        within(300),
      );
      expect(await failureOf(call)).toMatchObject({ disposition, kind });
    });

    it("the server's wish to wait is heard", async () => {
      const failure = await failureOf(
        provider.call(ask("Hi [[sim:fault=rate_limit]] [[sim:retry_after=2]]"), within()),
      );
      expect(failure).toMatchObject({ disposition: "throttled", retryAfterMs: 2000 });
    });
  },
);

describe("over the simulator, beside the protocols", () => {
  it("Batch Chat holds the call and answers it whole, thinking too", async () => {
    const held = await startSimulator({ batchChatDelayMs: 50 });
    const environment = { PROMPTMILL_SIMULATOR_URL: held.batchChatBaseUrl };
    const endpoint = resolveEndpoint(
      { provider: "simulator", region: null, protocol: "openai" },
      {},
      environment,
    );
    expect(endpoint.batchChat).toBe(true);
    const provider = createProvider(endpoint, { apiKey: null, connections: 1 });
    const answer = await provider.call(ask("Hi", { enableThinking: true }, "qwen3.5-plus"), within());
    expect(answer.usage?.thinking).toBe(true);
    expect(held.calls()).toMatchObject({ total: 1, answered: 1 });
    await provider.close();
    await held.close();
  });

  it("a wrong key is refused for the whole run, and shown masked", async () => {
    const guarded = await startSimulator({ apiKey: "sk-right-0123456789abcdef" });
    const environment = { PROMPTMILL_SIMULATOR_URL: guarded.url };
    const endpoint = resolveEndpoint(
      { provider: "simulator", region: null, protocol: "openai" },
      {},
      environment,
    );
    const apiKey = "sk-wrong-0123456789abcdef";
    const provider = createProvider(endpoint, { apiKey, connections: 1 });
    const failure = await failureOf(provider.call(ask("Hi"), within()));
    expect(failure).toMatchObject({ disposition: "run", httpStatus: 401 });
    expect(failure.message).toContain("sk-…cdef");
    expect(failure.message).not.toContain(apiKey);
    await provider.close();
    await guarded.close();
  });
});
