import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EstimateCorrection } from "../../src/usage/estimate-correction.js";
import { estimateRequestTokens, estimateTokens, outputTokenBound } from "../../src/usage/token-estimate.js";
import type { ModelRequest, Parameters } from "../../src/types.js";

function requestOf(
  content: ModelRequest["messages"][number]["content"],
  parameters: Parameters = {},
): ModelRequest {
  return { model: "qwen-plus", messages: [{ role: "user", content }], parameters };
}

describe("estimating tokens", () => {
  it("is about four letters a token in English and about one a character in Chinese", () => {
    const english = "The committee will meet on Thursday to discuss the annual report. ".repeat(20);
    expect(estimateTokens(english)).toBeGreaterThan(english.length / 8);
    expect(estimateTokens(english)).toBeLessThan(english.length / 3);
    expect(estimateTokens("今天天气很好我们去公园散步")).toBeGreaterThan(6);
    expect(estimateTokens("")).toBe(0);
  });

  it("counts messages, images, tools and schemas of a request", () => {
    const plain = estimateRequestTokens(requestOf("Hello there"));
    expect(plain).toBeGreaterThan(estimateTokens("Hello there"));
    const image = [
      { type: "text", text: "Hello there" } as const,
      { type: "image", url: "https://x.test/a.png" } as const,
    ];
    expect(estimateRequestTokens(requestOf(image))).toBe(plain + 1280);
    expect(estimateRequestTokens(requestOf(image, { vlHighResolutionImages: true }))).toBe(plain + 16_384);
    expect(
      estimateRequestTokens(
        requestOf("Hello there", { tools: [{ name: "look_up", description: "Looks up." }] }),
      ),
    ).toBeGreaterThan(plain);
  });

  it.each<[Parameters, number | null]>([
    [{}, null],
    [{ maxTokens: 100 }, 100],
    [{ maxTokens: 100, enableThinking: false, thinkingBudget: 50 }, 100],
    [{ maxTokens: 100, enableThinking: true, thinkingBudget: 50 }, 150],
    [{ maxTokens: 100, enableThinking: true }, null],
    [{ maxCompletionTokens: 100, enableThinking: true }, 110],
  ])("bounds the output of %j by %s", (parameters, bound) => {
    expect(outputTokenBound(requestOf("x", parameters))).toBe(bound);
  });
});

describe("correcting estimates", () => {
  it("assumes nothing before it has seen usage, but is safe for the worst known language", () => {
    const correction = new EstimateCorrection();
    expect(correction.expected(100)).toBe(100);
    expect(correction.safe(100)).toBeGreaterThanOrEqual(159);
  });

  it("learns the true ratio and narrows its safe bound", () => {
    const correction = new EstimateCorrection();
    for (let count = 0; count < 50; count += 1) correction.observe(1000 + count, (1000 + count) * 1.58);
    expect(correction.expected(1000)).toBeGreaterThanOrEqual(1579);
    expect(correction.expected(1000)).toBeLessThanOrEqual(1581);
    expect(correction.safe(1000)).toBeLessThan(1700);
  });

  it("follows when the texts change", () => {
    const correction = new EstimateCorrection();
    for (let count = 0; count < 500; count += 1) correction.observe(1000, 1500);
    for (let count = 0; count < 1500; count += 1) correction.observe(1000, 700);
    expect(correction.ratio).toBeCloseTo(0.7, 2);
  });

  it("ignores nonsense and never leaves its bounds", () => {
    const any = fc.oneof(fc.double(), fc.integer({ min: -5, max: 1e6 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(any, any), { maxLength: 50 }), (observations) => {
        const correction = new EstimateCorrection();
        for (const [estimated, actual] of observations) correction.observe(estimated, actual);
        expect(correction.ratio).toBeGreaterThanOrEqual(0.25);
        expect(correction.ratio).toBeLessThanOrEqual(4);
        expect(correction.safe(100)).toBeGreaterThanOrEqual(correction.expected(100));
      }),
    );
  });

  it("survives being stored", () => {
    const correction = new EstimateCorrection();
    correction.observe(100, 130);
    const stored: unknown = JSON.parse(JSON.stringify(correction));
    expect(new EstimateCorrection(stored as ReturnType<typeof correction.toJSON>).ratio).toBe(1.3);
  });
});
