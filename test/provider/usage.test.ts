import { describe, expect, it } from "vitest";
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
