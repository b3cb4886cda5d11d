import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { jobJsonSchema } from "../../src/job/index.js";
import { emptyConfig, promptJob, refusal, resolved } from "./fixtures.js";

describe("a job definition", () => {
  it("needs only name, model and prompt; everything else has its documented default", () => {
    expect(resolved(promptJob)).toMatchObject({
      provider: "model-studio",
      region: null,
      protocol: "openai",
      preset: null,
      parameters: {},
      input: { path: "-", id: null, format: null, encoding: "auto", delimiter: null, lenient: false },
      overrides: [],
      output: { format: "csv", column: "answer", excel: false, formulaSafe: true, reasoning: false },
      concurrency: 32,
      attempts: 5,
      timeoutMs: 310_000,
      timeoutIsDefault: true,
      limits: { maxThrottledMs: 1_800_000 },
      tags: {},
    });
  });

  it("is stored and read back as JSON without loss", () => {
    const job = resolved({ ...promptJob, parameters: { seed: 1 }, limits: { budget: 2.5 } });
    expect(JSON.parse(JSON.stringify(job))).toEqual(job);
  });

  it("reports every problem at once", () => {
    const message = refusal({ name: "a b", model: "", parameters: { temperature: 2 }, concurrency: 0 });
    expect(message.split("\n")).toHaveLength(5);
  });

  it.each([
    [{ parameters: { temperature: 2 } }, "parameters.temperature: expected a number in [0, 2), received 2"],
    [
      { parameters: { temperature: -0.1 } },
      "parameters.temperature: expected a number in [0, 2), received -0.1",
    ],
    [
      { parameters: { temperature: "0.5" } },
      'parameters.temperature: expected a number in [0, 2), received "0.5"',
    ],
    [
      { parameters: { temperature: Number.NaN } },
      "parameters.temperature: expected a number in [0, 2), received NaN",
    ],
    [{ parameters: { topP: 0 } }, "parameters.topP: expected a number in (0, 1], received 0"],
    [{ parameters: { topP: 1.01 } }, "parameters.topP: expected a number in (0, 1], received 1.01"],
    [{ parameters: { topK: 1.5 } }, "parameters.topK: expected a whole number of at least 0, received 1.5"],
    [
      { parameters: { presencePenalty: 2.1 } },
      "parameters.presencePenalty: expected a number in [-2, 2], received 2.1",
    ],
    [
      { parameters: { repetitionPenalty: 0 } },
      "parameters.repetitionPenalty: expected a number above 0, received 0",
    ],
    [
      { parameters: { seed: 2 ** 31 } },
      "parameters.seed: expected a whole number in [0, 2147483647], received 2147483648",
    ],
    [{ parameters: { n: 2 } }, "parameters.n: expected 1: a row has one answer"],
    [
      { parameters: { maxTokens: 0 } },
      "parameters.maxTokens: expected a whole number of at least 1, received 0",
    ],
    [
      { parameters: { topLogprobs: 6, logprobs: true } },
      "parameters.topLogprobs: expected a whole number in [0, 5], received 6",
    ],
    [
      { parameters: { topLogprobs: 2 } },
      "parameters.topLogprobs: expected logprobs: true with it, received nothing",
    ],
    [
      { parameters: { responseFormat: { type: "xml" } } },
      "responseFormat.type: expected a type of text, json_object or json_schema",
    ],
    [
      { parameters: { enableThinking: true, responseFormat: { type: "json_object" } } },
      "parameters.responseFormat: expected another format",
    ],
    [
      { parameters: { enableThinking: false, thinkingBudget: 5 } },
      "parameters.thinkingBudget: expected none",
    ],
    [
      { parameters: { reasoningEffort: "high", thinkingBudget: 5 } },
      "parameters.reasoningEffort: expected either",
    ],
    [
      { parameters: { extra: { model: "x" } } },
      "parameters.extra.model: not allowed here; promptmill sets it",
    ],
    [
      { parameters: { extra: { top_p: 9 } } },
      "parameters.extra.top_p: not allowed here; use parameters.topP",
    ],
    [
      { presets: { warm: { temperature: 2 } } },
      "presets.warm.temperature: expected a number in [0, 2), received 2",
    ],
    [{ preset: "translatoin" }, "(did you mean translation?)"],
    [{ preset: "constructor" }, "preset: expected one of creative_writing"],
    [{ provider: "model-studo" }, "(did you mean model-studio?)"],
    [{ region: "https://user:pw@host" }, 'received "https://***@host"'],
    [{ timeout: "5 hours" }, 'timeout: expected a duration such as "5m"'],
    [{ timeout: "3h" }, "from 10ms to 2h"],
    [{ limits: { budget: 0 } }, "limits.budget: expected a number above 0, received 0"],
    [{ limits: { requestsPerMinute: 0.5 } }, "limits.requestsPerMinute: expected a whole number"],
    [{ overrides: ["seed"] }, "overrides[0]: expected preset or temperature or top_p or max_tokens or model"],
    [{ input: { delimiter: ";;" } }, "input.delimiter: expected one character"],
    [
      { output: { format: "jsonl", excel: true } },
      'output.excel: expected format: csv with it, received "jsonl"',
    ],
    [{ output: { column: "status" } }, "output.column: expected a name other than status and error"],
    [{ output: { schema: {} }, parameters: { responseFormat: { type: "text" } } }, "either output.schema or"],
    [{ output: { schema: "nowhere.json" } }, "/jobs/nowhere.json does not exist"],
    [{ prompt: {} }, "prompt: expected the key user (or messages), received nothing"],
    [{ prompt: { user: " " } }, "prompt.user: expected text that is not blank"],
    [
      { prompt: { user: "a", messages: [{ role: "user", content: "b" }] } },
      "either messages or system and user",
    ],
    [
      { prompt: { messages: [{ role: "assistant", content: "b" }] } },
      "prompt.messages[0].role: expected user for the last",
    ],
    [
      { prompt: { messages: [{ role: "user", content: "b", partial: true }] } },
      "prompt.messages[0].partial: expected partial only",
    ],
    [
      { prompt: { user: "a {{ b" } },
      'prompt.user: output "{{ b" not closed (line 1, column 3 of the template)',
    ],
    [{ prompt: { user: "{{ b | shout }}" } }, "prompt.user: undefined filter: shout"],
    [{ prompt: { user: "{% render 'x' %}" } }, 'prompt.user: tag "render" not found'],
    [{ prompt: { user: "{% include 'x' %}" } }, 'prompt.user: tag "include" not found'],
    [{ prompt: { user: "{% layout 'x' %}" } }, 'prompt.user: tag "layout" not found'],
    [
      { translation: { target: "English" }, prompt: { system: "s", user: "u" } },
      "no system message with translation",
    ],
    [{ translation: {} }, "translation.target: expected text, received nothing"],
    [
      { translation: { target: "English", terms: "nowhere.csv" } },
      "translation.terms: expected the path of a file",
    ],
    [{ prompt: undefined, images: "{{ url }}" }, "images: expected a prompt with it"],
    [{ tags: { "a.b": "c" } }, "tags.a.b: expected a tag name"],
  ])("refuses %j", (part, expected) => {
    expect(refusal({ ...promptJob, ...part })).toContain(expected);
  });

  it.each([
    [{ modle: "x" }, "modle: unknown key; did you mean model?"],
    [{ temperature: 1 }, "temperature: unknown key; did you mean parameters.temperature?"],
    [{ parameters: { max_tokens: 5 } }, "parameters.max_tokens: unknown key; did you mean maxTokens?"],
    [{ input: { fromat: "csv" } }, "input.fromat: unknown key; did you mean format?"],
    [{ baseUrl: "http://x" }, "baseUrl: unknown key; expected one of"],
    [{ presets: { a: { top_p: 1 } } }, "presets.a.top_p: unknown key; did you mean topP?"],
    [JSON.parse('{"__proto__": {"model": "x"}}') as object, "__proto__: unknown key"],
  ])("names the key that %j probably means", (part, expected) => {
    const definition = Object.defineProperties({ ...promptJob }, Object.getOwnPropertyDescriptors(part));
    expect(refusal(definition)).toContain(expected);
  });

  it.each([null, undefined, "text", 3, [], [promptJob]])("refuses %j as a whole", (definition) => {
    expect(refusal(definition)).toContain("the whole file: expected a mapping");
  });

  it.each([
    ["5m", 300_000],
    ["90s", 90_000],
    ["1.5h", 5_400_000],
    ["500ms", 500],
    [30, 30_000],
    [0.5, 500],
  ])("reads timeout %j as %d ms", (timeout, timeoutMs) => {
    const job = resolved({ ...promptJob, timeout });
    expect(job.timeoutMs).toBe(timeoutMs);
    expect(job.timeoutIsDefault).toBeUndefined();
  });

  it("makes texts of tags, drops n and resolves paths against its own folder", () => {
    const job = resolved({
      ...promptJob,
      tags: { year: 2026, nightly: true },
      parameters: { n: 1, seed: 3 },
      input: { path: "../rows.csv", delimiter: "tab" },
    });
    expect(job.tags).toEqual({ year: "2026", nightly: "true" });
    expect(job.parameters).toEqual({ seed: 3 });
    expect(job.input.path).toBe("/rows.csv");
    expect(job.input.delimiter).toBe("\t");
  });

  it("takes the protocol from the configured provider unless it names one", () => {
    const config = {
      ...emptyConfig,
      providers: { own: { name: "own", protocol: "dashscope", region: "beijing" } },
    } as const;
    expect(resolved({ ...promptJob, provider: "own" }, config).protocol).toBe("dashscope");
    expect(resolved({ ...promptJob, provider: "own", protocol: "openai" }, config).protocol).toBe("openai");
  });

  it("finds presets in job, then configuration, then built-in ones", () => {
    const config = {
      ...emptyConfig,
      presets: { translation: { temperature: 0.1 }, house: { temperature: 0.5 } },
    };
    const { presets } = resolved({ ...promptJob, presets: { house: { topP: 0.4 } } }, config);
    expect(presets["translation"]).toEqual({ name: "translation", temperature: 0.1, source: "config" });
    expect(presets["house"]).toEqual({ name: "house", topP: 0.4, source: "job" });
    expect(presets["factual_qa"]).toEqual({
      name: "factual_qa",
      temperature: 0.1,
      topP: 0.7,
      source: "built-in",
    });
  });
});

describe("schema/job.schema.json", () => {
  it("is current (else run npm run schema)", async () => {
    const file = await readFile(new URL("../../schema/job.schema.json", import.meta.url), "utf8");
    expect(JSON.parse(file)).toEqual(JSON.parse(JSON.stringify(jobJsonSchema())));
  });

  it("describes every key with a sentence and refuses unknown ones", () => {
    const undescribed: string[] = [];
    const visit = (node: Record<string, unknown>, path: string): void => {
      for (const [key, child] of Object.entries(
        (node["properties"] ?? {}) as Record<string, Record<string, unknown>>,
      )) {
        if (
          typeof child["description"] !== "string" &&
          !/messages|presets|jsonSchema|responseFormat|terms|memory/.test(path)
        ) {
          undescribed.push(`${path}.${key}`);
        }
        visit(child, `${path}.${key}`);
      }
    };
    const schema = jobJsonSchema() as Record<string, unknown>;
    visit(schema, "");
    expect(undescribed).toEqual([]);
    expect(schema["additionalProperties"]).toBe(false);
  });
});
