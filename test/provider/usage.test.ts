import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { COUNT_PLACES } from "../../src/provider/reply/usage-places.js";
import { readUsage } from "../../src/provider/reply/usage.js";

const none = { cachedInputTokens: 0, reasoningTokens: 0 };

describe("usage", () => {
  it.each([
    [
      "compatible, every field",
      {
        prompt_tokens: 3019,
        completion_tokens: 1668,
        total_tokens: 4687,
        prompt_tokens_details: {
          cached_tokens: 2048,
          text_tokens: 19,
          image_tokens: 900,
          video_tokens: 70,
          audio_tokens: 30,
          cache_creation_input_tokens: 1024,
          cache_creation: { ephemeral_5m_input_tokens: 1024 },
          cache_type: "ephemeral",
        },
        completion_tokens_details: { reasoning_tokens: 1353, text_tokens: 315, audio_tokens: 12 },
      },
      {
        inputTokens: 3019,
        outputTokens: 1668,
        cachedInputTokens: 2048,
        reasoningTokens: 1353,
        cacheWriteTokens: 1024,
        imageTokens: 900,
        videoTokens: 70,
        audioTokens: 42,
      },
    ],
    [
      "compatible with null details, as Qwen-MT sends",
      {
        prompt_tokens: 5,
        completion_tokens: 2,
        total_tokens: 7,
        prompt_tokens_details: null,
        completion_tokens_details: null,
      },
      { inputTokens: 5, outputTokens: 2, ...none },
    ],
    [
      "native text",
      {
        input_tokens: 26,
        output_tokens: 66,
        total_tokens: 92,
        output_tokens_details: { reasoning_tokens: 4 },
      },
      { inputTokens: 26, outputTokens: 66, cachedInputTokens: 0, reasoningTokens: 4 },
    ],
    [
      "native with images and without a total",
      { input_tokens: 1277, output_tokens: 81, image_tokens: 1247, characters: 0 },
      { inputTokens: 1277, outputTokens: 81, ...none, imageTokens: 1247 },
    ],
    [
      "native details of its own",
      {
        input_tokens: 100,
        output_tokens: 10,
        input_tokens_details: { image_tokens: 60, text_tokens: 40 },
        prompt_tokens_details: { cached_tokens: 50, cache_creation: { ephemeral_5m_input_tokens: 20 } },
        output_tokens_details: { text_tokens: 10 },
      },
      {
        inputTokens: 100,
        outputTokens: 10,
        cachedInputTokens: 50,
        reasoningTokens: 0,
        cacheWriteTokens: 20,
        imageTokens: 60,
      },
    ],
    [
      "a side that is missing",
      { input_tokens: 10, total_tokens: 25 },
      { inputTokens: 10, outputTokens: 15, ...none },
    ],
    ["only a total", { total_tokens: 25 }, null],
    ["nonsense", { prompt_tokens: -4, completion_tokens: "many" }, null],
    ["nothing", {}, null],
    ["null", null, null],
    ["a list", [1], null],
  ])("%s", (_what, usage, expected) => {
    expect(readUsage(usage)).toStrictEqual(expected);
  });
});

describe("the usage of other servers", () => {
  const plain = (inputTokens: number, outputTokens: number, more = {}): unknown => ({
    inputTokens,
    outputTokens,
    ...none,
    ...more,
  });

  it.each<[string, unknown, unknown]>([
    [
      "xAI: reasoning stands in the total alone",
      {
        prompt_tokens: 20,
        completion_tokens: 7,
        total_tokens: 87,
        completion_tokens_details: { reasoning_tokens: 60 },
      },
      plain(20, 67, { reasoningTokens: 60 }),
    ],
    [
      "a gateway to Gemini that counts thoughts alone",
      {
        prompt_tokens: 21,
        completion_tokens: 0,
        total_tokens: 81,
        completion_tokens_details: { reasoning_tokens: 60 },
      },
      plain(21, 60, { reasoningTokens: 60 }),
    ],
    [
      "Gemini's own names, with a picture",
      {
        promptTokenCount: 300,
        candidatesTokenCount: 40,
        thoughtsTokenCount: 100,
        toolUsePromptTokenCount: 10,
        cachedContentTokenCount: 200,
        totalTokenCount: 450,
        promptTokensDetails: [
          { modality: "TEXT", tokenCount: 42 },
          { modality: "IMAGE", tokenCount: 258 },
        ],
      },
      plain(310, 140, { cachedInputTokens: 200, reasoningTokens: 100, imageTokens: 258 }),
    ],
    [
      "Anthropic: what was cached comes on top",
      { input_tokens: 50, output_tokens: 9, cache_read_input_tokens: 1000, cache_creation_input_tokens: 200 },
      plain(1250, 9, { cachedInputTokens: 1000, cacheWriteTokens: 200 }),
    ],
    [
      "Anthropic's names behind a gateway whose total includes what was cached",
      { input_tokens: 1250, output_tokens: 9, total_tokens: 1259, cache_read_input_tokens: 1000 },
      plain(1250, 9, { cachedInputTokens: 1000 }),
    ],
    [
      "OpenAI's names with Anthropic's cache behind a gateway",
      { prompt_tokens: 1250, completion_tokens: 9, total_tokens: 1259, cache_read_input_tokens: 1000 },
      plain(1250, 9, { cachedInputTokens: 1000 }),
    ],
    [
      "DeepSeek",
      {
        prompt_tokens: 90,
        completion_tokens: 9,
        total_tokens: 99,
        prompt_cache_hit_tokens: 64,
        prompt_cache_miss_tokens: 26,
      },
      plain(90, 9, { cachedInputTokens: 64 }),
    ],
    [
      "Moonshot",
      { prompt_tokens: 90, completion_tokens: 9, total_tokens: 99, cached_tokens: 70 },
      plain(90, 9, { cachedInputTokens: 70 }),
    ],
    [
      "OpenRouter's cache writes",
      {
        prompt_tokens: 90,
        completion_tokens: 9,
        total_tokens: 99,
        prompt_tokens_details: { cached_tokens: 10, cache_write_tokens: 30 },
      },
      plain(90, 9, { cachedInputTokens: 10, cacheWriteTokens: 30 }),
    ],
    [
      "a gateway that writes both sets of names and fills one",
      {
        prompt_tokens: 90,
        completion_tokens: 9,
        total_tokens: 99,
        input_tokens: 0,
        output_tokens: 0,
        input_tokens_details: null,
      },
      plain(90, 9),
    ],
    [
      "media beside the text",
      { input_tokens: 30, output_tokens: 5, image_tokens: 1000, total_tokens: 1035 },
      plain(1030, 5, { imageTokens: 1000 }),
    ],
    [
      "a total of the text alone",
      { input_tokens: 1030, output_tokens: 5, image_tokens: 1000, total_tokens: 35 },
      plain(1030, 5, { imageTokens: 1000 }),
    ],
    [
      "details that are no counts, beside sides that are",
      {
        prompt_tokens: 90,
        completion_tokens: 9,
        prompt_tokens_details: { cached_tokens: -1 },
        completion_tokens_details: "none",
      },
      plain(90, 9),
    ],
  ])("is read: %s", (_what, usage, expected) => {
    expect(readUsage(usage)).toStrictEqual(expected);
  });

  it("is read from Gemini's total where that alone counts thoughts, and from nobody else's", () => {
    const usage = { prompt_tokens: 20, completion_tokens: 198, total_tokens: 623 };
    expect(readUsage(usage, { model: "models/gemini-9-flash" })).toStrictEqual(plain(20, 603));
    expect(readUsage(usage, { model: "somebody-else" })).toBeNull();
  });

  const sound = { prompt_tokens: 40, completion_tokens: 8, total_tokens: 48 };

  it.each<[string, unknown]>([
    ["a word", "unlimited"],
    ["a number", 48],
    ["a string for a count", { ...sound, prompt_tokens: "40" }],
    ["a fraction", { ...sound, completion_tokens: 8.5 }],
    ["infinity, as JSON can bring it", JSON.parse('{"prompt_tokens":1e999,"completion_tokens":8}')],
    ["more than can be counted", { ...sound, total_tokens: 2 ** 60 }],
    ["a negative total", { ...sound, total_tokens: -1 }],
    ["a negative side", { prompt_tokens: -40, completion_tokens: 8 }],
    ["a total below its sides", { ...sound, total_tokens: 47 }],
    ["a total beyond its sides that nothing explains", { ...sound, total_tokens: 60 }],
    [
      "and not what reasoning there was",
      { ...sound, total_tokens: 60, completion_tokens_details: { reasoning_tokens: 5 } },
    ],
    ["reasoning beyond the output", { ...sound, completion_tokens_details: { reasoning_tokens: 9 } }],
    [
      "reasoning beyond it, without a total",
      { prompt_tokens: 40, completion_tokens: 8, reasoning_tokens: 9 },
    ],
    ["cached tokens beyond the input", { ...sound, cached_tokens: 41 }],
    ["pictures beyond the input", { ...sound, prompt_tokens_details: { image_tokens: 41 } }],
    ["one side alone", { completion_tokens: 8 }],
    ["a side beyond the total", { completion_tokens: 8, total_tokens: 7 }],
    ["no input for an output", { prompt_tokens: 0, completion_tokens: 8, total_tokens: 8 }],
  ])("is unknown: %s", (_what, usage) => {
    expect(readUsage(usage)).toBeNull();
  });

  it("is unknown where it counts nothing although something came, and zero where nothing did", () => {
    const nothing = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
    expect(readUsage(nothing, { hasOutput: true })).toBeNull();
    expect(readUsage({ ...sound, completion_tokens: 0, total_tokens: 40 }, { hasOutput: true })).toBeNull();
    expect(readUsage({ ...sound, completion_tokens: 0, total_tokens: 40 })).toStrictEqual(plain(40, 0));
    expect(readUsage(nothing)).toStrictEqual(plain(0, 0));
  });

  it("is never at odds with itself, whatever a server sends", () => {
    const count = fc.oneof(fc.nat(50), fc.constantFrom(null, undefined, -1, 0.5, "7", Infinity));
    const details = fc.option(
      fc.record({ cached_tokens: count, reasoning_tokens: count, image_tokens: count }),
    );
    const names = {
      prompt_tokens: count,
      completion_tokens: count,
      total_tokens: count,
      input_tokens: count,
      output_tokens: count,
      cache_read_input_tokens: count,
      prompt_tokens_details: details,
      completion_tokens_details: details,
    };
    fc.assert(
      fc.property(fc.record(names, { requiredKeys: [] }), (sent) => {
        const usage = readUsage(sent, { hasOutput: true });
        if (usage === null) return;
        const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage;
        expect(inputTokens).toBeGreaterThan(0);
        expect(outputTokens).toBeGreaterThan(0);
        expect(cachedInputTokens).toBeLessThanOrEqual(inputTokens);
        expect(reasoningTokens).toBeLessThanOrEqual(outputTokens);
        if (typeof sent.total_tokens === "number") {
          expect(inputTokens + outputTokens).toBeGreaterThanOrEqual(sent.total_tokens);
        }
      }),
    );
  });

  it("every place of a count names its source", () => {
    for (const places of Object.values(COUNT_PLACES)) {
      for (const { source } of places) expect(source).not.toBe("");
    }
  });
});
