import { describe, expect, it } from "vitest";
import { splitThoughts } from "../../src/provider/reply/thinking.js";
import type { ModelRequest } from "../../src/types.js";
import { json, type Responder } from "./model-server.js";
import { ask, closeAfterEach, plainAt, providerAt, startServer, within } from "./providers.js";

closeAfterEach();

describe("thoughts at the start of an answer", () => {
  it.each<[string, string, string, string | null]>([
    ["in a block", "<think>\nTwo and two.\n</think>\n\n4", "4", "Two and two."],
    ["after white space, in capitals", " \n<THINK>a</Think> b", "b", "a"],
    ["in several blocks", "<think>a</think>\n<think>b</think>\nc", "c", "a\n\nb"],
    ["in an empty block", "<think>\n\n</think>\n\n4", "4", null],
    ["in a block that was not closed", "<think>\nStill at", "", "Still at"],
    ["in a block that the template opened", "Two and two.\n</think>\n\n4", "4", "Two and two."],
    ["closed at once", "</think>\n4", "4", null],
    ["with markup and JSON in them", '<think>{"a": "<b>"}</think>{"a": 1}', '{"a": 1}', '{"a": "<b>"}'],
    ["in Magistral's marks", "[THINK]a[/THINK]b", "b", "a"],
    ["in Seed's marks", "<seed:think>a</seed:think>b", "b", "a"],
    ["in Gemini's marks", "<thought>\na\n</thought>b", "b", "a"],
    ["in Kimi's marks", "◁think▷a◁/think▷b", "b", "a"],
  ])("are parted from it: %s", (_what, answer, text, reasoning) => {
    expect(splitThoughts(answer)).toStrictEqual({ text, reasoning });
  });

  it.each([
    ["no marks", " 4 \n"],
    ["a block later on", "The tag is <think>x</think>."],
    ["a closing mark in backticks", "End thoughts with `</think>` please."],
    ["a closing mark in quotes", 'It ends with "</think>".'],
    ["a closing mark in a fence", "```\nx\n</think>\n```\n"],
    ["another tag", "<thinker>a</thinker>b"],
    ["nothing", ""],
  ])("are not seen in %s", (_what, answer) => {
    expect(splitThoughts(answer)).toStrictEqual({ text: answer, reasoning: null });
  });
});

describe("an answer with thoughts", () => {
  const answering = (message: object): Responder =>
    json(200, {
      choices: [{ message: { role: "assistant", ...message }, finish_reason: "stop" }],
      usage: { prompt_tokens: 9, completion_tokens: 5 },
    });

  async function answerTo(message: object, request: ModelRequest = ask("Hi")) {
    const server = await startServer();
    server.respond = answering(message);
    return { server, answer: await providerAt(plainAt(server.url)).call(request, within()) };
  }

  it("has them as its reasoning, after what the server told apart itself", async () => {
    const { answer } = await answerTo({ content: "<think>b</think>c", reasoning_content: "a" });
    expect(answer).toMatchObject({ text: "c", reasoning: "a\n\nb", usage: { thinking: true } });
  });

  it("keeps them in its text where the job says so, which the server is not told", async () => {
    const { answer, server } = await answerTo(
      { content: "<think>a</think>b" },
      ask("Hi", { thinkTags: "keep" }),
    );
    expect(answer).toMatchObject({ text: "<think>a</think>b", reasoning: null });
    expect(Object.keys(server.last.body)).toStrictEqual(["model", "messages"]);
  });

  it("has them parted after a prefix that opened them", async () => {
    const messages = [
      { role: "user", content: "2 + 2?" },
      { role: "assistant", content: "<think>\n", partial: true },
    ] as const;
    const { answer } = await answerTo({ content: "easy</think>4" }, { model: "m", messages, parameters: {} });
    expect(answer).toMatchObject({ text: "4", reasoning: "easy" });
  });

  it.each<[string, unknown, string, string | null]>([
    ["texts", [{ type: "text", text: "fo" }, "u", { type: "output_text", text: "r" }], "four", null],
    [
      "thoughts in parts (Mistral)",
      [
        { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
        { type: "text", text: "4" },
      ],
      "4",
      "hm",
    ],
    [
      "thoughts in words (Anthropic)",
      [
        { type: "thinking", thinking: "hm", signature: "x" },
        { type: "text", text: "4" },
      ],
      "4",
      "hm",
    ],
    ["reasoning", [{ type: "reasoning", text: "hm" }, { text: "4" }], "4", "hm"],
    [
      "pictures beside them",
      [{ type: "image_url", image_url: { url: "https://a.example" } }, { text: "4" }],
      "4",
      null,
    ],
  ])("may be a list of %s", async (_what, content, text, reasoning) => {
    expect((await answerTo({ content })).answer).toMatchObject({ text, reasoning });
  });
});
