import { describe, expect, it } from "vitest";

import { asking, askingNatively, at, contentOf, paths, post, simulate } from "./calling.js";

describe("temperature", () => {
  const answers = async (parameters: Record<string, unknown>, calls = 3, options = {}) => {
    const simulator = await simulate(options);
    const texts: string[] = [];
    for (let call = 0; call < calls; call++) {
      texts.push(contentOf(await post(simulator, paths.openai, asking("tell me more", parameters))));
    }
    return texts;
  };
  const distinct = (texts: readonly string[]) => new Set(texts).size;

  it("0 gives the same text at every call, as no temperature does", async () => {
    expect(distinct([...(await answers({ temperature: 0 })), ...(await answers({}))])).toBe(1);
  });

  it("above 0 gives another text at every call, the same ones to the same simulator's seed", async () => {
    const texts = await answers({ temperature: 0.7 });
    expect(distinct(texts)).toBe(3);
    expect(await answers({ temperature: 0.7 })).toEqual(texts);
    expect(await answers({ temperature: 0.7 }, 3, { seed: 2 })).not.toEqual(texts);
    expect(texts.every((text) => text.startsWith("[simulated] tell me more"))).toBe(true);
  });

  it("with a seed gives one text, which depends on temperature and seed", async () => {
    const texts = [
      ...(await answers({ temperature: 0.7, seed: 5 })),
      ...(await answers({ temperature: 0.8, seed: 5 })),
      ...(await answers({ temperature: 0.7, seed: 6 })),
    ];
    expect(distinct(texts)).toBe(3);
    expect(distinct(texts.slice(0, 3))).toBe(1);
  });

  it("changes the values of structured output, which fits its schema all the same", async () => {
    const schema = {
      type: "object",
      properties: { mood: { enum: ["a", "b", "c"] }, note: { type: "string" } },
    };
    const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
    const texts = await answers({ temperature: 1, response_format }, 12);
    const values = texts.map((text) => JSON.parse(text) as { mood: string });
    expect(distinct(values.map(({ mood }) => mood))).toBeGreaterThan(1);
    expect(values.every(({ mood }) => ["a", "b", "c"].includes(mood))).toBe(true);
  });

  it("leaves an answer by marker, and a translation model's, as it is", async () => {
    const simulator = await simulate();
    const marked = asking("[[sim:answer=42]]", { temperature: 1 });
    expect(contentOf(await post(simulator, paths.openai, marked))).toBe("42");
    const translation = asking("good day", {
      model: "qwen-mt-flash",
      temperature: 1,
      translation_options: { target_lang: "German" },
    });
    expect(contentOf(await post(simulator, paths.openai, translation))).toBe("[simulated German] good day");
  });
});

describe("log probabilities", () => {
  it.each([0, 1, 5])("hold as many alternatives as were asked for: %i", async (top) => {
    const simulator = await simulate();
    const parameters = { logprobs: true, top_logprobs: top };
    const compatible = await post(simulator, paths.openai, asking("one two", parameters));
    const native = await post(
      simulator,
      paths.text,
      askingNatively("one two", { ...parameters, result_format: "message" }),
    );
    for (const choice of [at(compatible.body, "choices", 0), at(native.body, "output", "choices", 0)]) {
      const tokens = at(choice, "logprobs", "content") as {
        token: string;
        top_logprobs: { token: string; logprob: number }[];
      }[];
      expect(tokens.map(({ token }) => token).join("")).toBe(at(choice, "message", "content"));
      for (const { token, top_logprobs: tops } of tokens) {
        expect(new Set(tops.map((candidate) => candidate.token)).size).toBe(top);
        expect(tops.slice(0, 1).every((first) => first.token === token)).toBe(true);
        const chances = tops.map(({ logprob }) => Math.exp(logprob));
        expect(chances).toEqual([...chances].sort((left, right) => right - left));
        expect(chances.reduce((sum, chance) => sum + chance, 0)).toBeLessThanOrEqual(1);
      }
    }
  });
});
