import { describe, expect, it } from "vitest";
import type { Protocol } from "../../src/types.js";
import { simulatedModel } from "../support/simulator.js";
import { onlyResult, runRows, type FinishedRun, type Row } from "./running.js";

type Definition = Omit<Parameters<typeof runRows>[0], "protocol">;

const protocols: readonly Protocol[] = ["openai", "dashscope"];

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

const jobs: readonly (readonly [what: string, definition: Definition, rows: readonly Row[]])[] = [
  [
    "prompt rows",
    { model: "qwen-plus" },
    [{ prompt: "Who are you?" }, { system: "Be brief.", prompt: "Why?" }],
  ],
  [
    "several turns",
    { model: "qwen-plus" },
    [
      {
        messages: [
          { role: "user", content: "Call me Ann." },
          { role: "assistant", content: "Hello Ann." },
          { role: "user", content: "Who am I?" },
        ],
      },
    ],
  ],
  [
    "a prefix that the model continues",
    {
      model: "qwen-plus",
      prompt: {
        messages: [
          { role: "user", content: "Continue: {{ text }}" },
          { role: "assistant", content: "{{ text }}", partial: true },
        ],
      },
    },
    [{ text: "Once upon a time" }],
  ],
  [
    "thinking",
    {
      model: "qwen-plus",
      parameters: { enableThinking: true, thinkingBudget: 500 },
      output: { reasoning: true },
    },
    [{ prompt: "What is 6 times 7?" }],
  ],
  ["a model that thinks unless told not to", { model: "qwen3.5-plus" }, [{ prompt: "What is 6 times 7?" }]],
  ["a model that only streams", { model: "qwq-plus", output: { reasoning: true } }, [{ prompt: "Why?" }]],
  ["a long answer", { model: "qwen-plus", parameters: { maxTokens: 10_000 } }, [{ prompt: "Tell a story." }]],
  [
    "tools",
    { model: "qwen-plus", parameters: { tools: [weather] } },
    [{ prompt: "What is the weather in Rome?" }],
  ],
  [
    "search",
    { model: "qwen-plus", parameters: { enableSearch: true, searchOptions: { forced_search: true } } },
    [{ prompt: "What is new?" }],
  ],
  [
    "every sampling parameter",
    {
      model: "qwen-plus",
      parameters: {
        temperature: 0.5,
        topP: 0.9,
        topK: 50,
        presencePenalty: 0.5,
        seed: 7,
        stop: ["END"],
        maxTokens: 100,
      },
    },
    [{ prompt: "Say something." }],
  ],
  [
    "a schema",
    { model: "qwen-max", output: { schema: { type: "object", properties: { color: { type: "string" } } } } },
    [{ prompt: "Which color?" }],
  ],
  ["a picture", { model: "qwen3-vl-plus" }, [{ prompt: "What is it?", images: "https://example.com/a.png" }]],
  [
    "machine translation",
    { model: "qwen-mt-plus", translation: { target: "French" } },
    [{ prompt: "Hello." }],
  ],
];

describe.each(jobs)("%s", (_, definition, rows) => {
  it("gives the same results by both protocols, all else in the job being equal", async () => {
    const runs: FinishedRun[] = [];
    for (const protocol of protocols) {
      const simulator = await simulatedModel();
      const run = await runRows({ output: { format: "jsonl" }, ...definition, protocol }, rows, {
        simulator,
      });
      const { tokens, answered, total } = simulator.calls();
      expect(run.rows).toEqual({ total: rows.length, succeeded: rows.length, failed: 0 });
      expect({ answered, total }).toEqual({ answered: rows.length, total: rows.length });
      expect(run.usage.tokens).toMatchObject({
        input: tokens.input,
        output: tokens.output,
        cachedInput: tokens.cachedInput,
        reasoning: tokens.reasoning,
      });
      runs.push(run);
    }
    const [compatible, native] = runs;
    expect(withoutCallIds(native!.results)).toEqual(withoutCallIds(compatible!.results));
    expect(native!.usage.tokens).toEqual(compatible!.usage.tokens);
    expect(native!.usage.cost).toEqual(compatible!.usage.cost);
  });
});

/** A server makes up its own identifiers for tool calls. */
function withoutCallIds(results: readonly Row[]): unknown {
  return JSON.parse(JSON.stringify(results).replaceAll(/call_[\w-]+/g, "call_x"));
}

describe.each(protocols)("by the %s protocol", (protocol) => {
  const job = { model: "qwen-plus", protocol } as const;

  it("thinking is kept apart from the answer, and in the results on request", async () => {
    const simulator = await simulatedModel();
    const row = { prompt: "[[sim:reasoning=Six sevens.]] [[sim:answer=42]]" };
    const parameters = { enableThinking: true };
    const plain = await runRows({ ...job, parameters }, [row], { simulator });
    expect(plain.results).toEqual([{ ...row, answer: "42", status: "succeeded", error: "" }]);
    const shown = await runRows({ ...job, parameters, output: { reasoning: true } }, [row], { simulator });
    expect(shown.results).toEqual([
      { ...row, answer: "42", reasoning: "Six sevens.", status: "succeeded", error: "" },
    ]);
    expect(onlyResult(plain).output).toMatchObject({ text: "42", reasoning: "Six sevens." });
    expect(onlyResult(plain).usage).toMatchObject({
      thinking: true,
      reasoningTokens: expect.any(Number) as number,
    });
  });

  it.each([100, 10_000])(
    "log probabilities of each token are kept, of up to %i tokens",
    async (maxTokens) => {
      const simulator = await simulatedModel();
      const parameters = { logprobs: true, topLogprobs: 2, maxTokens };
      const done = await runRows({ ...job, parameters }, [{ prompt: "Tell me a story." }], { simulator });
      const { output } = onlyResult(done);
      const tokens = output?.logprobs as { token: string; logprob: number; top_logprobs: unknown[] }[];
      expect(tokens.map(({ token }) => token).join("")).toBe(output?.text);
      expect(tokens[0]?.logprob).toBe(Math.log(0.8));
      expect(tokens.every(({ top_logprobs: alternatives }) => alternatives.length === 2)).toBe(true);
    },
  );

  it("a prefix is joined with its continuation", async () => {
    const simulator = await simulatedModel();
    const messages = [
      { role: "user", content: "Continue. [[sim:answer=, there was a cat.]]" },
      { role: "assistant", content: "Once", partial: true },
    ];
    const { results } = await runRows(job, [{ messages: JSON.stringify(messages) }], { simulator });
    expect(results[0]).toMatchObject({ answer: "Once, there was a cat." });
  });

  it("calls of tools succeed and have a column of their own, where the job offers tools", async () => {
    const simulator = await simulatedModel();
    const rows = [{ prompt: "What is the weather in Rome?" }, { prompt: "[[sim:answer=No tool needed.]]" }];
    const parameters = { tools: [weather] };
    const csv = await runRows({ ...job, parameters }, rows, { simulator });
    expect(Object.keys(csv.results[0]!)).toEqual(["prompt", "answer", "tool_calls", "status", "error"]);
    const [call] = JSON.parse(String(csv.results[0]!["tool_calls"])) as {
      function: { name: string; arguments: string };
    }[];
    expect(call?.function.name).toBe("get_weather");
    expect(JSON.parse(call?.function.arguments ?? "")).toHaveProperty("city");
    expect(csv.results[1]).toMatchObject({ answer: "No tool needed.", tool_calls: "", status: "succeeded" });
    const jsonl = await runRows({ ...job, parameters, output: { format: "jsonl" } }, rows, { simulator });
    expect(jsonl.results[0]).toMatchObject({
      tool_calls: [expect.objectContaining({ type: "function" })],
      status: "succeeded",
    });
    expect(jsonl.results[1]).toMatchObject({ tool_calls: null });
    expect(jsonl.journal.find(({ rowIndex }) => rowIndex === 0)?.output?.finishReason).toBe("tool_calls");
  });

  it("cached, written and thinking tokens are told apart and priced by their own rates", async () => {
    const simulator = await simulatedModel();
    const count = "[[sim:input_tokens=100000;output_tokens=1000";
    const baseUrl = protocol === "openai" ? simulator.openaiBaseUrl : simulator.dashscopeBaseUrl;
    const running = {
      simulator,
      config: `providers: { model-studio: { baseUrl: "${baseUrl}" } }\n`,
      env: { DASHSCOPE_API_KEY: "sk-0123456789" },
    };
    const costOf = async (model: string, marker: string, enableThinking = false): Promise<number> => {
      const studio = {
        provider: "model-studio",
        region: "singapore",
        model,
        protocol,
        parameters: { enableThinking },
      } as const;
      const { usage } = await runRows(studio, [{ prompt: `${count}${marker}]]` }], running);
      expect(usage.cost).toMatchObject({ currency: "USD", unpricedModels: [] });
      return Number(usage.cost.amount);
    };
    // qwen-plus: 0.4 in, 1.2 out, 4 thinking; a hit costs a fifth of input, per million tokens.
    expect(await costOf("qwen-plus", "")).toBeCloseTo(0.04 + 0.0012, 10);
    expect(await costOf("qwen-plus", "", true)).toBeCloseTo(0.04 + 0.004, 10);
    expect(await costOf("qwen-plus", ";cached=50000")).toBeCloseTo(0.02 + 0.004 + 0.0012, 10);
    expect(await costOf("qwen-plus", ";cache_write=50000")).toBeCloseTo(0.02 + 0.025 + 0.0012, 10);
    // qwen3.7-max has rates of its own: 2.5 in, 7.5 out, hit 0.5, write 3.125.
    expect(await costOf("qwen3.7-max", ";cached=40000;cache_write=20000")).toBeCloseTo(
      0.1 + 0.02 + 0.0625 + 0.0075,
      10,
    );
  });

  it("an answer that the provider's content check refused fails its row and says so", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(job, [{ prompt: "[[sim:fault=content_inspection]]" }], { simulator });
    expect(onlyResult(done)).toMatchObject({
      status: "failed",
      attempts: 1,
      error: { kind: "content_filter", message: expect.stringMatching(/content check/i) as string },
    });
  });
});
