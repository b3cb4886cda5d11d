import OpenAI, { APIError, RateLimitError } from "openai";
import { describe, expect, it } from "vitest";

import { simulate } from "./calling.js";

const userAsks = (content: string) => [{ role: "user" as const, content }];

async function client(options: Parameters<typeof simulate>[0] = {}) {
  const simulator = await simulate({ apiKey: "sk-test", ...options });
  return {
    simulator,
    openai: new OpenAI({ apiKey: "sk-test", baseURL: simulator.openaiBaseUrl, maxRetries: 0 }),
  };
}

describe("the simulator, asked by the official OpenAI client", () => {
  it("answers a chat completion with usage and a request id", async () => {
    const { openai } = await client();
    const completion = await openai.chat.completions.create({
      model: "qwen-plus",
      messages: [
        { role: "system", content: "You are a helpful assistant." },
        { role: "user", content: "你是誰?" },
      ],
    });
    expect(completion.choices[0]?.message.content).toContain("[simulated]");
    expect(completion.choices[0]?.finish_reason).toBe("stop");
    expect(completion.usage?.total_tokens).toBe(
      (completion.usage?.prompt_tokens ?? 0) + (completion.usage?.completion_tokens ?? 0),
    );
    expect(completion.id).toContain(completion._request_id ?? "no request id");
  });

  it("streams the same text that it answers at once", async () => {
    const { openai } = await client();
    const messages = userAsks(
      "Summarize this text:\n\nCats purr. Dogs bark. 🐈 Birds sing all day long in May.",
    );
    const whole = await openai.chat.completions.create({ model: "qwen-plus", messages });
    const stream = await openai.chat.completions.create({
      model: "qwen-plus",
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.choices.length === 0) usage = chunk.usage;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(usage).toEqual(whole.usage);
  });

  it("assembles into a finished completion by the client's own stream helper", async () => {
    const { openai } = await client();
    const final = await openai.chat.completions
      .stream({ model: "qwen-plus", messages: userAsks("Who are you?") })
      .finalChatCompletion();
    expect(final.choices[0]?.message.content).toContain("[simulated]");
    expect(final.choices[0]?.finish_reason).toBe("stop");
  });

  it("sends reasoning before content and counts its tokens within the output", async () => {
    const { openai } = await client();
    const stream = await openai.chat.completions.create({
      model: "qwen3-32b",
      messages: userAsks("Who are you?"),
      stream: true,
      stream_options: { include_usage: true },
    });
    const order: string[] = [];
    let reasoningTokens = 0;
    let outputTokens = 0;
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta as { content?: string; reasoning_content?: string } | undefined;
      if (delta?.reasoning_content) order.push("reasoning");
      if (delta?.content) order.push("content");
      reasoningTokens = chunk.usage?.completion_tokens_details?.reasoning_tokens ?? reasoningTokens;
      outputTokens = chunk.usage?.completion_tokens ?? outputTokens;
    }
    expect(order.lastIndexOf("reasoning")).toBeLessThan(order.indexOf("content"));
    expect(reasoningTokens).toBeGreaterThan(0);
    expect(outputTokens).toBeGreaterThan(reasoningTokens);
  });

  it("thinks in an answer that is not streamed, too", async () => {
    const { openai } = await client();
    const completion = await openai.chat.completions.create({
      model: "qwen-plus",
      messages: userAsks("Who are you?"),
      ...({ enable_thinking: true } as object),
    });
    const message = completion.choices[0]?.message as { content: string; reasoning_content?: string };
    expect(message.reasoning_content).toContain("[simulated reasoning]");
    expect(message.content).not.toContain("reasoning");
    expect(completion.usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
  });

  const format = {
    type: "json_schema",
    json_schema: {
      name: "weather",
      strict: true,
      schema: {
        type: "object",
        properties: { sky: { enum: ["clear", "cloudy"] }, celsius: { type: "integer" } },
        required: ["sky", "celsius"],
        additionalProperties: false,
      },
    },
  } as const;

  it("answers in a schema that the client asks for, at once and streamed", async () => {
    const { openai } = await client();
    const asked = {
      model: "qwen-plus",
      messages: userAsks("What is the weather?"),
      response_format: format,
    };
    const whole = await openai.chat.completions.parse(asked);
    const streamed = await openai.chat.completions.stream(asked).finalChatCompletion();
    for (const completion of [whole, streamed]) {
      const value: unknown = JSON.parse(completion.choices[0]?.message.content ?? "");
      expect(value).toEqual({
        sky: expect.stringMatching(/^(clear|cloudy)$/) as string,
        celsius: expect.any(Number) as number,
      });
    }
  });

  it("gives log probabilities that the client can read, at once and streamed", async () => {
    const { openai } = await client();
    const asked = { model: "qwen-plus", messages: userAsks("Who are you?"), logprobs: true, top_logprobs: 1 };
    const whole = await openai.chat.completions.create(asked);
    const streamed = await openai.chat.completions.stream(asked).finalChatCompletion();
    for (const { choices } of [whole, streamed]) {
      const tokens = choices[0]?.logprobs?.content ?? [];
      expect(tokens.map(({ token }) => token).join("")).toBe(choices[0]?.message.content);
    }
  });

  const tools: OpenAI.ChatCompletionTool[] = [
    {
      type: "function",
      function: {
        name: "get_weather",
        parameters: {
          type: "object",
          properties: { city: { type: "string" }, unit: { enum: ["C", "F"] } },
          required: ["city"],
        },
      },
    },
  ];

  it("calls a tool with arguments that fit, and answers once the tool has spoken", async () => {
    const { openai } = await client();
    const question = userAsks("What is the weather in Hangzhou?");
    const first = await openai.chat.completions.create({ model: "qwen-plus", messages: question, tools });
    const call = first.choices[0]?.message.tool_calls?.[0];
    expect(first.choices[0]?.finish_reason).toBe("tool_calls");
    expect(call?.type === "function" ? JSON.parse(call.function.arguments) : null).toMatchObject({
      city: expect.any(String) as string,
    });
    const second = await openai.chat.completions.create({
      model: "qwen-plus",
      tools,
      messages: [
        ...question,
        { role: "assistant", content: "", tool_calls: first.choices[0]?.message.tool_calls ?? [] },
        { role: "tool", tool_call_id: call?.id ?? "", content: "sunny" },
      ],
    });
    expect(second.choices[0]?.finish_reason).toBe("stop");
  });

  it("streams tool calls that the client can put together", async () => {
    const { openai } = await client();
    const final = await openai.chat.completions
      .stream({ model: "qwen-plus", messages: userAsks("What is the weather?"), tools })
      .finalChatCompletion();
    const call = final.choices[0]?.message.tool_calls?.[0];
    expect(call?.type === "function" && call.function.name).toBe("get_weather");
    expect(() => JSON.parse(call?.type === "function" ? call.function.arguments : "")).not.toThrow();
  });

  it("raises the client's own error classes with the vendor's code", async () => {
    const { openai } = await client();
    const refused = openai.chat.completions.create({
      model: "qwen-plus",
      messages: userAsks("[[sim:fault=rate_limit;retry_after=3]]"),
    });
    const error: unknown = await refused.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RateLimitError);
    expect(
      error instanceof APIError && [error.status, error.code, error.headers?.get("retry-after")],
    ).toEqual([429, "limit_requests", "3"]);
  });

  it("is retried by the client past the faults that a marker limits", async () => {
    const { simulator } = await client();
    const openai = new OpenAI({ apiKey: "sk-test", baseURL: simulator.openaiBaseUrl, maxRetries: 2 });
    const completion = await openai.chat.completions.create({
      model: "qwen-plus",
      messages: userAsks("[[sim:fault=connection_reset;times=1]] hello"),
    });
    expect(completion.choices[0]?.message.content).toContain("hello");
    expect(simulator.calls()).toMatchObject({ total: 2, answered: 1, dropped: 1 });
  });

  it("refuses another key, naming the code that keys of another region meet", async () => {
    const { simulator } = await client();
    const stranger = new OpenAI({ apiKey: "sk-other", baseURL: simulator.openaiBaseUrl, maxRetries: 0 });
    await expect(
      stranger.chat.completions.create({ model: "qwen-plus", messages: userAsks("x") }),
    ).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  it("raises an error in the middle of a stream", async () => {
    const { openai } = await client();
    const stream = await openai.chat.completions.create({
      model: "qwen-plus",
      messages: userAsks("[[sim:fault=stream_error]] tell me something long enough to be cut"),
      stream: true,
    });
    let received = "";
    await expect(async () => {
      for await (const chunk of stream) received += chunk.choices[0]?.delta.content ?? "";
    }).rejects.toThrow(APIError);
    expect(received).not.toBe("");
  });

  it.each(["gzip", "br", "deflate", "padded"])(
    "reads a body in the form %s, streamed or not",
    async (form) => {
      const { openai, simulator } = await client({ errors: { [`body:${form}`]: 1 } });
      const asked = { model: "qwen-plus", messages: userAsks("hello") };
      const whole = await openai.chat.completions.create(asked);
      const streamed = await openai.chat.completions.stream(asked).finalChatCompletion();
      expect([whole, streamed].map(({ choices }) => choices[0]?.message.content)).toEqual([
        "[simulated] hello",
        "[simulated] hello",
      ]);
      expect(simulator.calls().answered).toBe(2);
    },
  );

  it("meets an error when its key is empty, or missing from the head", async () => {
    const { simulator } = await client();
    const keyless = new OpenAI({
      apiKey: "none",
      baseURL: simulator.openaiBaseUrl,
      maxRetries: 0,
      defaultHeaders: { authorization: null },
    });
    await expect(
      keyless.chat.completions.create({ model: "qwen-plus", messages: userAsks("x") }),
    ).rejects.toMatchObject({ status: 401, code: null, type: "invalid_request_error" });
  });

  it("gets another text at each call of a temperature, the same one with a seed, and the alternatives it asks for", async () => {
    const { openai } = await client();
    const ask = async (more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>) =>
      (
        await openai.chat.completions.create({
          model: "qwen-plus",
          messages: userAsks("Who are you?"),
          temperature: 0.9,
          ...more,
        })
      ).choices[0];
    const content = async (more = {}) => (await ask(more))?.message.content;
    expect(await content()).not.toBe(await content());
    expect(await content({ seed: 4 })).toBe(await content({ seed: 4 }));
    const tokens = (await ask({ logprobs: true, top_logprobs: 3 }))?.logprobs?.content ?? [];
    expect(tokens.map((token) => token.top_logprobs.length)).toEqual(tokens.map(() => 3));
    expect(tokens.length).toBeGreaterThan(0);
  });

  it("lists models", async () => {
    const { openai } = await client();
    const models = await openai.models.list();
    expect(models.data.map((model) => model.id)).toContain("qwen-plus");
  });
});
