import { describe, expect, it } from "vitest";
import { checkRequest, modelTraits } from "../../src/provider/index.js";
import type { ContentPart, Message, ModelRequest, Parameters } from "../../src/types.js";
import { ask } from "./providers.js";

const IMAGE: ContentPart = { type: "image", url: "https://host/a.png" };
const SCHEMA: Parameters["responseFormat"] = {
  type: "json_schema",
  jsonSchema: { name: "answer", schema: {} },
};
const user = (content: Message["content"]): Message => ({ role: "user", content });
const say = (
  messages: readonly Message[],
  parameters: Parameters = {},
  model = "qwen-plus",
): ModelRequest => ({
  model,
  messages,
  parameters,
});

describe("requests that are refused before any call", () => {
  it.each<[string, ModelRequest, RegExp]>([
    ["temperature 2", ask("Hi", { temperature: 2 }), /temperature must be a number in \[0, 2\), not 2/],
    ["temperature that is no number", ask("Hi", { temperature: NaN }), /temperature/],
    ["top_p 0", ask("Hi", { topP: 0 }), /topP must be a number in \(0, 1\]/],
    [
      "a fraction of a token",
      ask("Hi", { maxTokens: 1.5 }),
      /maxTokens must be a whole number of at least 1/,
    ],
    ["a seed beyond 31 bits", ask("Hi", { seed: 2 ** 31 }), /seed/],
    ["presence_penalty 3", ask("Hi", { presencePenalty: 3 }), /presencePenalty/],
    [
      "repetition_penalty 0",
      ask("Hi", { repetitionPenalty: 0 }),
      /repetitionPenalty must be a number above 0/,
    ],
    ["several answers", ask("Hi", { extra: { n: 2 } }), /extra.n cannot be set: one row has one answer/],
    ["a stream by extra", ask("Hi", { extra: { stream: true } }), /extra.stream/],
    ["no message", say([]), /no messages/],
    ["an empty message", ask("  \n"), /message 1 \(user\) is empty/],
    [
      "the model's own words last",
      say([user("Hi"), { role: "assistant", content: "Ho" }]),
      /last message has role assistant/,
    ],
    ["only a system message", say([{ role: "system", content: "Be nice" }]), /last message has role system/],
    [
      "a prefix that is not last",
      say([{ role: "assistant", content: "A", partial: true }, user("Hi")]),
      /only the last message can be/,
    ],
    [
      "a prefix while thinking",
      say([user("Hi"), { role: "assistant", content: "A", partial: true }], { enableThinking: true }),
      /partial mode and thinking/,
    ],
    ["a tool answer without its call", say([user("Hi"), { role: "tool", content: "5" }]), /toolCallId/],
    ["an image for a text model", say([user([IMAGE])]), /qwen-plus does not take images/],
    [
      "a video for a text model",
      say([user([{ type: "video", url: "https://h/v.mp4" }])]),
      /does not take videos/,
    ],
    [
      "a path that was not loaded",
      say([user([{ type: "image", url: "./a.png" }])], {}, "qwen3-vl-plus"),
      /no http/,
    ],
    [
      "base64 above 10 MB",
      say(
        [user([{ type: "image", url: `data:image/png;base64,${"A".repeat(11_000_000)}` }])],
        {},
        "qwen3-vl-plus",
      ),
      /above the limit/,
    ],
    [
      "json_object while thinking",
      ask("as JSON", { responseFormat: { type: "json_object" }, enableThinking: true }),
      /exclude each other/,
    ],
    ["json_object without the word", ask("Hi", { responseFormat: { type: "json_object" } }), /word "json"/],
    ["no thinking for a model that must", ask("Hi", { enableThinking: false }, "qwq-plus"), /always thinks/],
    ["thinking for a model that cannot", ask("Hi", { enableThinking: true }, "qwen-max"), /cannot think/],
    [
      "a forced tool while thinking",
      ask("Hi", { enableThinking: true, toolChoice: { type: "function" } }),
      /cannot be forced/,
    ],
    ["topLogprobs alone", ask("Hi", { topLogprobs: 2 }), /needs logprobs/],
    [
      "too long an answer of qwen-mt",
      ask("Hi", { maxTokens: 9000, translationOptions: { target_lang: "en" } }, "qwen-mt-plus"),
      /8192/,
    ],
    [
      "translation options for another model",
      ask("Hi", { translationOptions: { target_lang: "en" } }),
      /for qwen-mt models/,
    ],
  ])("%s", (_what, request, problem) => {
    const { problems } = checkRequest(request, "openai");
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  it("reports every problem at once", () => {
    const request = ask("", { temperature: 5, topP: 0, extra: { n: 3 } });
    expect(checkRequest(request, "openai").problems).toHaveLength(4);
  });
});

describe("qwen-mt", () => {
  const options = { source_lang: "auto", target_lang: "English" };
  const translate = (messages: readonly Message[], translationOptions?: Record<string, unknown>): string[] =>
    checkRequest(
      say(messages, translationOptions === undefined ? {} : { translationOptions }, "qwen-mt-flash"),
      "dashscope",
    ).problems;

  it("takes one user message with options as documented", () => {
    const full = {
      ...options,
      terms: [{ source: "生物传感器", target: "biological sensor" }],
      tm_list: [{ source: "你好", target: "Hello" }],
      domains: "The sentence is from an IT manual.",
    };
    expect(translate([user("你好")], full)).toStrictEqual([]);
  });

  it.each<[string, readonly Message[], Record<string, unknown> | undefined, RegExp]>([
    [
      "a system message",
      [{ role: "system", content: "Translate" }, user("你好")],
      options,
      /exactly one user message/,
    ],
    [
      "a history",
      [user("a"), { role: "assistant", content: "b" }, user("c")],
      options,
      /exactly one user message/,
    ],
    ["no options", [user("a")], undefined, /needs translation options/],
    ["no target", [user("a")], { source_lang: "auto" }, /target_lang/],
    ["target auto", [user("a")], { target_lang: "auto" }, /cannot be auto/],
    ["a list of domains", [user("a")], { ...options, domains: ["IT"] }, /domains must be a string/],
    ["terms as a map", [user("a")], { ...options, terms: { a: "b" } }, /terms must be a list/],
    [
      "a term without target",
      [user("a")],
      { ...options, terms: [{ source: "a", target: "b" }, { source: "c" }] },
      /terms\[1\]/,
    ],
    ["an unknown option", [user("a")], { ...options, glossary: [] }, /glossary is not known/],
  ])("refuses %s", (_what, messages, translationOptions, problem) => {
    expect(translate(messages, translationOptions)).toStrictEqual([expect.stringMatching(problem)]);
  });
});

describe("requests that are let through", () => {
  it.each<[string, ModelRequest]>([
    ["a preset's two numbers", ask("Hi", { temperature: 0.9, topP: 0.95 })],
    ["temperature 0 and top_p 1", ask("Hi", { temperature: 0, topP: 1 })],
    ["n 1", ask("Hi", { extra: { n: 1 } })],
    [
      "json_object with the word in the system message",
      say([{ role: "system", content: "Answer in JSON." }, user("Hi")], {
        responseFormat: { type: "json_object" },
      }),
    ],
    ["json_schema", ask("Hi", { responseFormat: SCHEMA })],
    [
      "json_schema on a model that is asked for it in words",
      ask("Hi", { responseFormat: SCHEMA }, "qwen-max"),
    ],
    ["json_schema on a model that nobody knows", ask("Hi", { responseFormat: SCHEMA }, "new-model")],
    ["an image", say([user([IMAGE, { type: "text", text: "What?" }])], {}, "qwen3-vl-plus")],
    ["an image alone", say([user([IMAGE])], {}, "qwen3.5-plus")],
    ["a prefix", say([user("Hi"), { role: "assistant", content: "A", partial: true }])],
    [
      "a tool's answer",
      say([
        user("Hi"),
        { role: "assistant", content: "", toolCalls: [{}] },
        { role: "tool", content: "5", toolCallId: "c" },
      ]),
    ],
  ])("%s", (_what, request) => {
    expect(checkRequest(request, "openai")).toStrictEqual({ problems: [], warnings: [] });
    expect(checkRequest(request, "dashscope").problems).toStrictEqual([]);
  });

  it("what a local server under a Qwen name may do differently", () => {
    const request = say(
      [user([IMAGE])],
      { temperature: 2, responseFormat: SCHEMA, enableThinking: false },
      "qwq-32b",
    );
    expect(checkRequest(request, "openai", "other").problems).toStrictEqual([]);
  });

  it("with a warning where they are likely a mistake", () => {
    const warned = (parameters: Parameters, model = "qwen-plus"): string[] =>
      checkRequest(ask("Hi", parameters, model), "openai").warnings;
    expect(warned({ searchOptions: {} })).toStrictEqual([expect.stringMatching(/enableSearch/)]);
    expect(warned({ maxTokens: 5, maxCompletionTokens: 5 })).toHaveLength(2);
    expect(warned({ thinkingBudget: 5, enableThinking: false })).toHaveLength(1);
    expect(warned({ thinkingBudget: 5, reasoningEffort: "high" })).toHaveLength(1);
    expect(warned({ extra: { frequency_penalty: 1 } })).toHaveLength(1);
  });
});

describe("model traits", () => {
  it.each([
    [
      "qwen-plus",
      {
        thinking: "off",
        jsonSchema: true,
        images: false,
        nativeFamily: "text-generation",
        contextTokens: 1_000_000,
      },
    ],
    ["qwen-plus-2025-07-28", { thinking: "off", jsonSchema: true }],
    ["qwen3-max", { thinking: "off", jsonSchema: true, contextTokens: 262_144 }],
    ["qwen3.5-plus", { thinking: "on", nativeFamily: "multimodal-generation", images: true }],
    ["qwen3.7-plus", { nativeFamily: "multimodal-generation" }],
    ["qwen3-vl-plus", { nativeFamily: "multimodal-generation", images: true, video: true }],
    ["qwen3-30b-a3b", { thinking: "on", streaming: "thinking" }],
    ["qwen3-next-80b-a3b-thinking", { thinking: "only", streaming: "always" }],
    ["qwen3-omni-flash", { streaming: "always", nativeFamily: "multimodal-generation" }],
    ["qwq-plus", { thinking: "only", streaming: "always" }],
    [
      "qwen-mt-turbo",
      { translation: true, streaming: "never", contextTokens: 16_384, maxOutputTokens: 8192 },
    ],
    ["deepseek-v3.2", { jsonSchema: true, thinking: "off" }],
    ["gpt-4o", { known: false, thinking: "unknown" }],
  ])("%s", (model, traits) => {
    expect(modelTraits(model)).toMatchObject(traits);
  });

  it("stay bounded however many models rows name", () => {
    for (let index = 0; index < 5000; index += 1) modelTraits(`made-up-${index}`);
    expect(modelTraits("qwen-plus").known).toBe(true);
  });
});
