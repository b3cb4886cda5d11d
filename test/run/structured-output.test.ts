import { describe, expect, it } from "vitest";
import { simulatedModel } from "../support/simulator.js";
import { onlyResult, runRows } from "./running.js";

const schema = {
  type: "object",
  properties: {
    sentiment: { enum: ["positive", "negative"] },
    score: { type: "number", minimum: 0, maximum: 10 },
    topics: { type: "array", items: { type: "string" } },
    author: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  },
  required: ["sentiment", "score", "topics", "author"],
};

const job = (protocol: "openai" | "dashscope", model = "qwen-plus") =>
  ({ model, protocol, prompt: { user: "{{ text }}" } }) as const;

const fits = '{"sentiment":"positive","score":-0,"topics":["a","b"],"author":{"name":"Ann"}}'.replace(
  "-0",
  "7",
);

describe.each(["openai", "dashscope"] as const)("output.schema by the %s protocol", (protocol) => {
  it.each(["qwen-plus", "qwen-max", "qwen3-vl-plus", "qwq-plus"])(
    "makes the schema's properties columns of a CSV, with %s",
    async (model) => {
      const simulator = await simulatedModel();
      const { results, rows } = await runRows(
        { ...job(protocol, model), output: { schema } },
        [{ text: `good [[sim:answer=${fits}]]` }, { text: "made up by the simulator" }],
        { simulator },
      );
      expect(rows).toEqual({ total: 2, succeeded: 2, failed: 0 });
      expect(Object.keys(results[0]!)).toEqual([
        "text",
        "sentiment",
        "score",
        "topics",
        "author",
        "status",
        "error",
      ]);
      expect(results[0]).toMatchObject({
        sentiment: "positive",
        score: "7",
        topics: '["a","b"]',
        author: '{"name":"Ann"}',
        status: "succeeded",
      });
      expect(["positive", "negative"]).toContain(results[1]!["sentiment"]);
    },
  );

  it("is the parsed value in the answer column of JSONL, the raw answer in the journal", async () => {
    const simulator = await simulatedModel();
    const fenced = `Here you are:\n\`\`\`json\n${fits}\n\`\`\``;
    const done = await runRows(
      { ...job(protocol), output: { schema, format: "jsonl" } },
      [{ text: `[[sim:answer=${fenced}]]` }],
      { simulator },
    );
    expect(done.results).toEqual([
      expect.objectContaining({ answer: JSON.parse(fits) as unknown, status: "succeeded", error: null }),
    ]);
    expect(onlyResult(done).output?.text).toBe(fenced);
  });

  it("asks again for an answer that does not fit, and counts what that cost", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      { ...job(protocol), output: { schema } },
      [{ text: "[[sim:fault=invalid_json_output;times=2]] fine then" }],
      { simulator },
    );
    const result = onlyResult(done);
    expect(result).toMatchObject({ status: "succeeded", attempts: 3 });
    expect(done.attempts.map(({ billing, counts }) => [billing, counts])).toEqual([
      ["billed", true],
      ["billed", true],
    ]);
    const { answered, tokens } = simulator.calls();
    expect(answered).toBe(3);
    expect(done.usage.tokens).toMatchObject({ input: tokens.input, output: tokens.output });
    expect(done.usage.attempts).toMatchObject({ billed: 3, possiblyBilled: 0 });
  });

  it("fails a row after three paid answers that do not fit, keeping the last one word for word", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      { ...job(protocol), output: { schema } },
      [{ text: "[[sim:answer=No JSON, sorry.]]" }, { text: "well" }],
      { simulator },
    );
    const failed = done.journal.find(({ rowIndex }) => rowIndex === 0);
    expect(failed).toMatchObject({
      status: "failed",
      attempts: 3,
      error: {
        kind: "invalid_output",
        code: "output_invalid",
        message: 'the answer is not JSON: it begins with "No JSON, sorry."',
      },
      output: { text: "No JSON, sorry." },
    });
    expect(simulator.calls()).toMatchObject({ answered: 4 });
    expect(done.usage.attempts.billed).toBe(4);
    expect(done.usage.tokens.input).toBe(simulator.calls().tokens.input);
    expect(done.results[0]).toMatchObject({ sentiment: "", status: "failed" });
    expect(done.errors).toEqual([
      expect.objectContaining({ output: expect.objectContaining({ text: "No JSON, sorry." }) as unknown }),
    ]);
  });

  it("does not pay again for an answer that was cut at its token limit", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      { ...job(protocol), output: { schema }, parameters: { maxTokens: 5 } },
      [{ text: "a long one" }],
      { simulator },
    );
    expect(onlyResult(done)).toMatchObject({
      status: "failed",
      attempts: 1,
      error: {
        kind: "invalid_output",
        code: "output_cut",
        message: expect.stringContaining("raise maxTokens") as string,
      },
    });
    expect(simulator.calls().total).toBe(1);
  });
});

describe("output.schema", () => {
  it("stops asking where the job's attempts end", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      { ...job("openai"), output: { schema }, attempts: 2 },
      [{ text: "[[sim:answer={}]]" }],
      { simulator },
    );
    expect(onlyResult(done)).toMatchObject({ status: "failed", attempts: 2 });
    expect(simulator.calls().total).toBe(2);
  });

  it("holds a value of any other shape in the answer column", async () => {
    const simulator = await simulatedModel();
    const { results } = await runRows(
      { ...job("openai"), output: { schema: { type: "array", items: { type: "integer" } } } },
      [{ text: "[[sim:answer=[1, 2] ]]" }],
      { simulator },
    );
    expect(results[0]).toMatchObject({ answer: "[1,2]" });
  });

  it.each([
    ["is no JSON Schema", { schema: { type: "nonsense" } }, [{ text: "a" }], "invalid_schema"],
    [
      "has a property that the input has as a column",
      { schema },
      [{ text: "a", score: 1 }],
      "output_column_taken",
    ],
    [
      "has a property of the name of another answer column",
      { schema: { properties: { reasoning: {} } }, reasoning: true },
      [{ text: "a" }],
      "output_column_taken",
    ],
  ])("is refused before any call when it %s", async (_, output, rows, code) => {
    const simulator = await simulatedModel();
    await expect(runRows({ ...job("openai"), output }, rows, { simulator })).rejects.toMatchObject({
      code,
      exitCode: 2,
    });
    expect(simulator.calls().total).toBe(0);
  });
});
