import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callBound } from "../../src/provider/index.js";
import { estimateTokens } from "../../src/simulator/token-estimate.js";
import type { ModelRequest, Parameters } from "../../src/types.js";

function requestOf(parameters: Parameters, model = "qwen-plus", text = "Hello"): ModelRequest {
  return { model, messages: [{ role: "user", content: text }], parameters };
}

describe("the bound of one call", () => {
  it("is at least one token for each byte of text, whatever its language", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const bound = callBound(requestOf({ maxTokens: 1 }, "qwen-plus", text));
        expect(bound?.inputTokens).toBeGreaterThanOrEqual(Buffer.byteLength(text));
        expect(bound?.inputTokens).toBeGreaterThanOrEqual(estimateTokens(text));
      }),
    );
  });

  it.each<[string, Parameters, string, number | null]>([
    ["maxTokens", { maxTokens: 100 }, "qwen-plus", 100],
    [
      "thinking within its budget on top",
      { maxTokens: 100, enableThinking: true, thinkingBudget: 50 },
      "qwen-plus",
      150,
    ],
    [
      "the longest thinking where nothing bounds it",
      { maxTokens: 100, enableThinking: true },
      "qwen-plus",
      82_020,
    ],
    ["maxCompletionTokens with its slack", { maxCompletionTokens: 100 }, "qwen3.7-plus", 110],
    ["no maxCompletionTokens on a model that ignores it", { maxCompletionTokens: 100 }, "qwen-plus", 65_536],
    ["the most of any answer of a known model", {}, "qwen-plus", 65_536],
    ["the model's own most", {}, "qwen-mt-plus", 8_192],
    ["a larger limit named past us", { maxTokens: 100, extra: { max_tokens: 900 } }, "qwen-plus", 900],
    ["as many answers as are asked for", { maxTokens: 100, extra: { n: 4 } }, "qwen-plus", 400],
    ["nothing for an unknown model without a limit", {}, "somebody-s-model", null],
  ])("counts %s", (_what, parameters, model, outputTokens) => {
    expect(callBound(requestOf(parameters, model))?.outputTokens ?? null).toBe(outputTokens);
  });

  it("takes what cannot be counted for the whole context, and gives up where that is not known", () => {
    const parameters = { maxTokens: 10, enableSearch: true };
    expect(callBound(requestOf(parameters, "qwen-plus"))?.inputTokens).toBe(1_000_000);
    expect(callBound(requestOf(parameters, "somebody-s-model"))).toBeNull();
  });
});
