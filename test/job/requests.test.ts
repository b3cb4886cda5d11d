import { describe, expect, it } from "vitest";
import { compileRequests } from "../../src/job/index.js";
import { build, problemOf, promptJob, resolved, row, rowsJob } from "./fixtures.js";

const messagesOf = (definition: unknown, values: Record<string, unknown>) =>
  build(definition, values).request.messages;

describe("requests of a templated job", () => {
  it("render system and user message from the row", () => {
    const job = { ...promptJob, prompt: { system: "You speak {{ language }}.", user: "Say {{ text }}" } };
    expect(messagesOf(job, { language: "German", text: "hello" })).toEqual([
      { role: "system", content: "You speak German." },
      { role: "user", content: "Say hello" },
    ]);
  });

  it("leave out a system message that renders to nothing", () => {
    const job = { ...promptJob, prompt: { system: "{{ style }}", user: "{{ text }}" } };
    expect(messagesOf(job, { style: "", text: "hello" })).toEqual([{ role: "user", content: "hello" }]);
  });

  it("render several turns with a prefix to continue", () => {
    const messages = [
      { role: "user", content: "Review: {{ text }}" },
      { role: "assistant", content: "{", partial: true },
    ];
    expect(messagesOf({ ...promptJob, prompt: { messages } }, { text: "good" })).toEqual([
      { role: "user", content: "Review: good" },
      { role: "assistant", content: "{", partial: true },
    ]);
  });

  it("refuse a row whose message would be empty, naming row and line", () => {
    const problem = problemOf(promptJob, { text: " " });
    expect(problem.message).toBe("row 1 (line 2): prompt.user renders to an empty message");
    expect(problem.toRowError()).toMatchObject({ kind: "input", code: "empty_prompt", httpStatus: null });
  });

  it("ignore override columns that the job does not list", () => {
    const values = { text: "hi", temperature: "9", preset: "nonsense", model: "other" };
    expect(build(promptJob, values)).toMatchObject({
      preset: null,
      request: { model: "qwen-plus", parameters: {} },
    });
  });

  it("honour exactly the listed override columns", () => {
    const job = { ...promptJob, overrides: ["temperature", "model"] };
    const values = {
      text: "hi",
      temperature: "0.5",
      top_p: "0.5",
      model: " qwen-max ",
      preset: "translation",
    };
    expect(build(job, values)).toMatchObject({
      preset: null,
      request: { model: "qwen-max", parameters: { temperature: 0.5 } },
    });
  });

  it("put images and video before the text of the user message", () => {
    const job = { ...promptJob, images: ["{{ photo }}", "{{ other }}"], video: "{{ clip }}" };
    const values = { text: "What is it?", photo: "pics/a b.png", other: "", clip: "https://host/v.mp4" };
    expect(messagesOf(job, values)).toEqual([
      {
        role: "user",
        content: [
          { type: "image", url: "file:///jobs/pics/a%20b.png" },
          { type: "video", url: "https://host/v.mp4" },
          { type: "text", text: "What is it?" },
        ],
      },
    ]);
  });

  it("take a JSON list of images from one column", () => {
    const job = { ...promptJob, images: "{{ photos }}" };
    const values = { text: "Compare", photos: ["https://h/1.png", "https://h/2.png"] };
    expect(messagesOf(job, values)[0]?.content).toHaveLength(3);
    expect(messagesOf(job, { ...values, photos: "" })).toEqual([{ role: "user", content: "Compare" }]);
  });

  it.each([
    ["images", "data:text/plain;base64,QQ==", "expected data:image/"],
    ["images", "[1]", "expected a URL or path, received a number"],
    ["images", "[nonsense", "expected a URL, a path or a JSON list"],
    ["video", "clip.mp4", "expected the http(s) URL of a video"],
  ])("refuse %s of %j", (key, value, expected) => {
    expect(problemOf({ ...promptJob, [key]: "{{ media }}" }, { text: "x", media: value }).message).toContain(
      expected,
    );
  });

  it("carry qwen-mt options with languages from the row", () => {
    const job = {
      ...promptJob,
      translation: {
        target: "{{ to }}",
        terms: [{ source: "lamp", target: "Leuchte" }],
        memory: [{ source: "a", target: "b" }],
        domain: "Shop texts",
      },
    };
    expect(build(job, { text: "lamp", to: "German" }).request.parameters.translationOptions).toEqual({
      source_lang: "auto",
      target_lang: "German",
      terms: [{ source: "lamp", target: "Leuchte" }],
      tm_list: [{ source: "a", target: "b" }],
      domains: "Shop texts",
    });
    expect(problemOf(job, { text: "lamp", to: "" }).message).toContain(
      "translation.target: expected a language",
    );
  });

  it("take along the terms of the glossary that occur in the row, whatever their case or width", () => {
    const terms = ["Lamp", "cord", "USB", "ＬＥＤ"].map((source) => ({ source, target: `${source}!` }));
    const job = { ...promptJob, translation: { target: "German", terms } };
    const termsOf = (text: string): unknown =>
      build(job, { text }).request.parameters.translationOptions?.["terms"];
    expect(termsOf("A lamp with a USB Cord and an LED.")).toEqual(terms);
    expect(termsOf("Two lamps.")).toEqual([terms[0]]);
    expect(termsOf("A chair.")).toBeUndefined();
  });

  it("carry output.schema as the response format, strict only when the schema is closed", () => {
    const open = { type: "object", properties: { a: { type: "string" } } };
    const closed = { ...open, required: ["a"], additionalProperties: false };
    const formatOf = (schema: object) =>
      build({ ...promptJob, name: "my.job", output: { schema } }, { text: "x" }).request.parameters
        .responseFormat;
    expect(formatOf(open)).toEqual({ type: "json_schema", jsonSchema: { name: "my_job", schema: open } });
    expect(formatOf(closed)).toMatchObject({ jsonSchema: { strict: true } });
  });
});

describe("precedence", () => {
  const job = {
    ...promptJob,
    preset: "translation",
    parameters: { topP: 0.5, maxTokens: 100 },
    overrides: ["preset", "temperature", "top_p", "max_tokens"],
  };
  it.each([
    [{}, "translation", { temperature: 0.3, topP: 0.5, maxTokens: 100 }],
    [{ preset: "creative_writing" }, "creative_writing", { temperature: 0.9, topP: 0.5, maxTokens: 100 }],
    [
      { preset: "creative_writing", temperature: "1.1" },
      "creative_writing",
      { temperature: 1.1, topP: 0.5, maxTokens: 100 },
    ],
    [{ top_p: 1, max_tokens: "7" }, "translation", { temperature: 0.3, topP: 1, maxTokens: 7 }],
    [{ temperature: "", preset: null }, "translation", { temperature: 0.3, topP: 0.5, maxTokens: 100 }],
  ])("of a row with %j over the job over its preset", (values, preset, parameters) => {
    const built = build(job, { text: "x", ...values });
    expect(built.preset).toBe(preset);
    expect(built.request.parameters).toEqual(parameters);
  });

  it("warns once when rows set both temperature and top_p", () => {
    const builder = compileRequests(resolved(job));
    builder.build(row({ text: "x", temperature: 1 }));
    expect(builder.warnings).toEqual([]);
    builder.build(row({ text: "x", temperature: 1, top_p: 0.5 }, 3));
    builder.build(row({ text: "x", temperature: 1, top_p: 0.5 }, 4));
    expect(builder.warnings).toHaveLength(1);
    expect(builder.warnings[0]).toContain("row 4 (line 5) sets both temperature and top_p");
  });
});

describe("requests of prompt rows", () => {
  it.each([
    [{ prompt: "hi {{ name }}" }, [{ role: "user", content: "hi {{ name }}" }]],
    [{ prompt: "hi", system: "" }, [{ role: "user", content: "hi" }]],
    [
      { prompt: "hi", system: "be brief" },
      [
        { role: "system", content: "be brief" },
        { role: "user", content: "hi" },
      ],
    ],
    [
      { messages: '[{"role":"user","content":"hi"}]', prompt: "", system: "" },
      [{ role: "user", content: "hi" }],
    ],
    [
      {
        messages: [
          { role: "user", content: "1+1" },
          { role: "assistant", content: "Is", partial: true },
        ],
      },
      [
        { role: "user", content: "1+1" },
        { role: "assistant", content: "Is", partial: true },
      ],
    ],
    [
      {
        messages: [
          { role: "user", content: "weather?" },
          { role: "assistant", content: null, tool_calls: [{ id: "c1" }] },
          { role: "tool", content: "sunny", tool_call_id: "c1" },
        ],
      },
      [
        { role: "user", content: "weather?" },
        { role: "assistant", content: "", toolCalls: [{ id: "c1" }] },
        { role: "tool", content: "sunny", toolCallId: "c1" },
      ],
    ],
    [
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "image_url", image_url: { url: "https://h/a.png" } },
              { type: "text", text: "?" },
            ],
          },
        ],
      },
      [
        {
          role: "user",
          content: [
            { type: "image", url: "https://h/a.png" },
            { type: "text", text: "?" },
          ],
        },
      ],
    ],
    [
      { prompt: "?", images: "https://h/a.png" },
      [
        {
          role: "user",
          content: [
            { type: "image", url: "https://h/a.png" },
            { type: "text", text: "?" },
          ],
        },
      ],
    ],
  ])("of %j", (values, messages) => {
    expect(messagesOf(rowsJob, values)).toEqual(messages);
  });

  it("honour every override of the row, and its id", () => {
    const values = {
      prompt: "hi",
      id: "p-7",
      preset: "factual_qa",
      temperature: 0.4,
      max_tokens: 9,
      model: "qwen-max",
    };
    expect(build(rowsJob, values)).toEqual({
      customId: "p-7",
      preset: "factual_qa",
      request: {
        model: "qwen-max",
        messages: [{ role: "user", content: "hi" }],
        parameters: { temperature: 0.4, topP: 0.7, maxTokens: 9 },
      },
    });
  });

  it("name local images relative to the input file", () => {
    const job = { ...rowsJob, input: { path: "/data/rows.jsonl" } };
    expect(messagesOf(job, { prompt: "?", images: ["a.png"] })[0]?.content).toContainEqual({
      type: "image",
      url: "file:///data/a.png",
    });
  });

  it.each([
    [{}, "prompt", "column prompt: expected the prompt's text (or messages), received nothing"],
    [{ prompt: "  " }, "prompt", "received an empty cell"],
    [{ prompt: 3 }, "prompt", "column prompt: expected text, received 3"],
    [{ prompt: "a", messages: "[]" }, "prompt", "expected either messages or prompt"],
    [{ messages: "[]" }, "messages", "expected a list of messages that is not empty, received an empty list"],
    [{ messages: "{oops" }, "messages", "expected a JSON list of messages"],
    [
      { messages: [{ role: "bot", content: "x" }] },
      "messages[0].role",
      'expected system or user or assistant or tool, received "bot"',
    ],
    [
      { messages: [{ role: "user", content: 3 }] },
      "messages[0].content",
      "expected text or a list of parts, received 3",
    ],
    [
      { messages: [{ role: "user", content: "x", name: "n" }] },
      "messages[0].name",
      "expected only role, content",
    ],
    [{ messages: [{ role: "assistant", content: "x" }] }, "messages[0].role", "expected user last"],
    [
      { messages: [{ role: "user", content: " " }] },
      "messages[0].content",
      "expected text that is not blank",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "audio" }] }] },
      "messages[0].content[0].type",
      "expected text, image_url or video_url",
    ],
    [{ prompt: "a", temperature: "2" }, "temperature", 'expected a number in [0, 2), received "2"'],
    [{ prompt: "a", temperature: "0,5" }, "temperature", 'received "0,5"'],
    [{ prompt: "a", temperature: true }, "temperature", "received true"],
    [{ prompt: "a", top_p: "0" }, "top_p", "expected a number in (0, 1]"],
    [{ prompt: "a", max_tokens: "1.5" }, "max_tokens", "expected a whole number of at least 1"],
    [{ prompt: "a", max_tokens: "0x10" }, "max_tokens", "expected a whole number"],
    [{ prompt: "a", preset: "translatoin" }, "preset", "did you mean translation?"],
    [{ prompt: "a", preset: "__proto__" }, "preset", "expected one of the presets"],
    [{ prompt: "a", model: "two words" }, "model", "expected a model name without spaces"],
  ])("refuse %j, naming the column %s", (values, column, expected) => {
    const problem = problemOf(rowsJob, values);
    expect(problem).toMatchObject({ rowIndex: 0, line: 2, column });
    expect(problem.message).toContain(expected);
    expect(problem.message).toMatch(/^row 1 \(line 2\): /);
  });

  it("refuse a system message for translation models", () => {
    const job = { ...rowsJob, translation: { target: "English" } };
    expect(problemOf(job, { prompt: "a", system: "b" }).column).toBe("system");
    expect(messagesOf(job, { prompt: "a", system: "" })).toHaveLength(1);
  });

  it("pass on the problem of a row that could not be read", () => {
    const problem = { kind: "input", code: "too_few_cells", message: "3 cells", httpStatus: null } as const;
    const builder = compileRequests(resolved(rowsJob));
    expect(() => builder.build({ ...row({}), problem })).toThrow("row 1 (line 2): 3 cells");
  });
});

describe("customId", () => {
  it.each([
    [{ ...promptJob, input: { id: "sku" } }, { text: "x", sku: "A-1", id: "no" }, "A-1"],
    [{ ...promptJob, input: { id: "sku" } }, { text: "x", sku: 17 }, "17"],
    [promptJob, { text: "x", id: "no" }, "0"],
    [rowsJob, { prompt: "x", id: "yes" }, "yes"],
    [rowsJob, { prompt: "x", id: "" }, "0"],
    [rowsJob, { prompt: "x" }, "0"],
  ])("of %j and %j is %s", (job, values, customId) => {
    expect(build(job, values).customId).toBe(customId);
  });
});
