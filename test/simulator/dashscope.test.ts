import { describe, expect, it } from "vitest";

import { requestFingerprint } from "../../src/simulator/index.js";
import { asking, askingNatively, at, contentOf, eventData, paths, post, simulate } from "./calling.js";

const events = { "x-dashscope-sse": "enable" };
const asMessage = { result_format: "message" };

describe("the native protocol", () => {
  it("answers with choices when asked for messages, and with plain text otherwise", async () => {
    const simulator = await simulate();
    const choices = await post(simulator, paths.text, askingNatively("你是誰?", asMessage));
    expect(choices.body).toMatchObject({
      output: {
        choices: [
          {
            finish_reason: "stop",
            message: { role: "assistant", content: expect.stringContaining("simulated") as string },
          },
        ],
      },
      usage: { input_tokens: expect.any(Number) as number, output_tokens: expect.any(Number) as number },
      request_id: choices.headers.get("x-request-id"),
    });
    const text = await post(simulator, paths.text, askingNatively("你是誰?"));
    expect(at(text.body, "output", "finish_reason")).toBe("stop");
    expect(at(text.body, "output", "text")).toBe(
      at(choices.body, "output", "choices", 0, "message", "content"),
    );
  });

  it("gives the same answer as the compatible one, and the request the same fingerprint", async () => {
    const simulator = await simulate();
    const compatible = asking("Translate into German: one red apple", { temperature: 0.3, seed: 1 });
    const native = askingNatively("Translate into German: one red apple", {
      temperature: 0.3,
      seed: 1,
      ...asMessage,
    });
    const replies = [
      await post(simulator, paths.openai, compatible),
      await post(simulator, paths.text, native),
    ];
    expect(at(replies[1]?.body, "output", "choices", 0, "message", "content")).toBe(
      at(replies[0]?.body, "choices", 0, "message", "content"),
    );
    expect(requestFingerprint(native)).toBe(requestFingerprint(compatible));
    expect(simulator.calls().perRequest.get(requestFingerprint(native))).toMatchObject({
      calls: 2,
      answered: 2,
    });
  });

  it("takes a prompt in place of messages, as the same request, and neither of them not at all", async () => {
    const simulator = await simulate();
    const asked = askingNatively("你是誰?", asMessage);
    const prompted = { model: "qwen-plus", input: { prompt: "你是誰?" }, parameters: asMessage };
    const replies = [await post(simulator, paths.text, asked), await post(simulator, paths.text, prompted)];
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    expect(at(replies[1]?.body, "output")).toEqual(at(replies[0]?.body, "output"));
    expect(requestFingerprint(prompted)).toBe(requestFingerprint(asked));
    const neither = await post(simulator, paths.text, { model: "qwen-plus", input: {} });
    expect(neither.status).toBe(400);
    expect(neither.body).toMatchObject({
      code: "InvalidParameter",
      message: 'Either "prompt" or "messages" must exist and cannot both be none',
    });
  });

  it("streams pieces when incremental, and all so far when not", async () => {
    const simulator = await simulate();
    const prompt = "Tell me of the sea, the wind and the long way home 🌊.";
    const incremental = await post(
      simulator,
      paths.text,
      askingNatively(prompt, { ...asMessage, incremental_output: true }),
      events,
    );
    const cumulative = await post(simulator, paths.text, askingNatively(prompt, asMessage), events);
    const contents = (stream: string) =>
      eventData(stream).map((data) => String(at(data, "output", "choices", 0, "message", "content")));
    expect(contents(incremental.text).join("")).toBe(contents(cumulative.text).at(-1));
    for (const [index, text] of contents(cumulative.text).entries()) {
      expect(contents(cumulative.text)[index + 1]?.startsWith(text) ?? true).toBe(true);
    }
  });

  it('says finish_reason "null" until the last event, whose usage is the whole one', async () => {
    const simulator = await simulate();
    const body = askingNatively("Who are you, and what do you do all day?", {
      ...asMessage,
      incremental_output: true,
    });
    const reply = await post(simulator, paths.text, body, events);
    expect(reply.text).toMatch(/^id:1\nevent:result\n:HTTP_STATUS\/200\ndata:\{/);
    const data = eventData(reply.text);
    const finishes = data.map((event) => at(event, "output", "choices", 0, "finish_reason"));
    expect(finishes.slice(0, -1).every((finish) => finish === "null")).toBe(true);
    expect(finishes.at(-1)).toBe("stop");
    const outputTokens = data.map((event) => Number(at(event, "usage", "output_tokens")));
    expect(outputTokens[0]).toBeLessThan(outputTokens.at(-1) ?? 0);
    expect(simulator.calls().tokens.output).toBe(outputTokens.at(-1));
  });

  it("streams reasoning before the answer", async () => {
    const simulator = await simulate();
    const body = askingNatively("Why?", { ...asMessage, enable_thinking: true, incremental_output: true });
    const reply = await post(simulator, paths.text, body, events);
    const messages = eventData(reply.text).map((event) => at(event, "output", "choices", 0, "message"));
    const kinds = messages.map((message) =>
      at(message, "reasoning_content") ? "thinks" : at(message, "content") ? "says" : "",
    );
    expect(kinds.lastIndexOf("thinks")).toBeLessThan(kinds.indexOf("says"));
    expect(
      at(eventData(reply.text).at(-1), "usage", "output_tokens_details", "reasoning_tokens"),
    ).toBeGreaterThan(0);
  });

  it("ends a stream by event:error when told to", async () => {
    const simulator = await simulate();
    const body = askingNatively("[[sim:fault=stream_error]] a long enough story", asMessage);
    const reply = await post(simulator, paths.text, body, events);
    expect(reply.status).toBe(200);
    expect(reply.text.trimEnd().split("\n\n").at(-1)).toMatch(
      /^id:\d+\nevent:error\n:HTTP_STATUS\/500\ndata:\{"code":"InternalError"/,
    );
    expect(simulator.calls()).toMatchObject({ answered: 0, rejected: { InternalError: 1 } });
  });

  it.each([
    ["a multimodal model on the text endpoint", paths.text, "qwen3-vl-plus"],
    ["a text model on the multimodal endpoint", paths.multimodal, "qwen-plus"],
  ])("refuses %s by url error", async (_what, path, model) => {
    const simulator = await simulate();
    const reply = await post(simulator, path, askingNatively("x", asMessage, model));
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({
      code: "InvalidParameter",
      message: expect.stringContaining("url error") as string,
    });
  });

  it("takes images in parts, counts their tokens, and answers in parts", async () => {
    const simulator = await simulate();
    const content = [{ image: "https://example.com/a.png" }, { text: "請問圖片展現了有哪些商品?" }];
    const reply = await post(simulator, paths.multimodal, {
      model: "qwen3-vl-plus",
      input: { messages: [{ role: "user", content }] },
    });
    expect(at(reply.body, "output", "choices", 0, "message", "content", 0, "text")).toMatch(/1 image/);
    expect(at(reply.body, "usage")).toMatchObject({
      image_tokens: 1024,
      input_tokens_details: { image_tokens: 1024 },
    });
    expect(at(reply.body, "usage", "total_tokens")).toBeUndefined();
  });

  it("takes images by the compatible path as well", async () => {
    const simulator = await simulate();
    const image_url = { url: "data:image/png;base64,AAAA" };
    const content = [
      { type: "image_url", image_url },
      { type: "text", text: "What is it?" },
    ];
    const reply = await post(simulator, paths.openai, {
      model: "qwen3-vl-plus",
      messages: [{ role: "user", content }],
    });
    expect(contentOf(reply)).toMatch(/1 image/);
    expect(at(reply.body, "usage", "prompt_tokens_details", "image_tokens")).toBe(1024);
  });
});

describe("qwen-mt", () => {
  const options = (more: Record<string, unknown> = {}) => ({
    translation_options: { source_lang: "auto", target_lang: "English", ...more },
  });

  it("translates into the frame of its target language, glossary applied", async () => {
    const simulator = await simulate();
    const terms = [{ source: "视频", target: "video" }];
    const reply = await post(
      simulator,
      paths.openai,
      asking("我看到这个视频", { model: "qwen-mt-flash", ...options({ terms }) }),
    );
    expect(contentOf(reply)).toBe("[simulated English] 我看到这个video");
    expect(at(reply.body, "usage", "prompt_tokens_details")).toBeNull();
  });

  it("refuses a system message by the 500 that no retry helps", async () => {
    const simulator = await simulate();
    const messages = [
      { role: "system", content: "Translate." },
      { role: "user", content: "x" },
    ];
    const reply = await post(simulator, paths.openai, { model: "qwen-mt-plus", messages, ...options() });
    expect(reply.status).toBe(500);
    expect(at(reply.body, "error", "message")).toContain("Role must be in [user, assistant]");
  });

  it.each([
    ["without options", {}, /translation_options/],
    ["without a target", { translation_options: {} }, /target_lang/],
    ["into an unknown language", options({ target_lang: "Klingon" }), /language settings/],
    ["with terms of another shape", options({ terms: { a: "b" } }), /terms/],
    ["with several domains", options({ domains: ["a"] }), /domains/],
  ])("refuses a call %s", async (_what, more, message) => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking("x", { model: "qwen-mt-flash", ...more }));
    expect(reply.status).toBe(400);
    expect(at(reply.body, "error", "message")).toMatch(message);
  });

  it.each(["French", "zh", "zh_tw", "Traditional Chinese", "Japanese", "ja"])(
    "knows %s",
    async (target_lang) => {
      const simulator = await simulate();
      const reply = await post(
        simulator,
        paths.openai,
        asking("x", { model: "qwen-mt-flash", ...options({ target_lang }) }),
      );
      expect(reply.status).toBe(200);
    },
  );

  it("streams cumulative chunks from plus, and pieces from flash", async () => {
    const simulator = await simulate();
    const last = async (model: string) => {
      const body = asking("A sentence that is long enough for several chunks.", {
        model,
        stream: true,
        ...options(),
      });
      const reply = await post(simulator, paths.openai, body);
      return eventData(reply.text).map((data) => String(at(data, "choices", 0, "delta", "content")));
    };
    const plus = await last("qwen-mt-plus");
    expect(plus.at(-1)).toBe("[simulated English] A sentence that is long enough for several chunks.");
    expect((await last("qwen-mt-flash")).join("")).toBe(plus.at(-1));
  });
});
