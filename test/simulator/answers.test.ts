import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { labelsIn } from "../../src/simulator/answers/labels.js";
import { splitSentences } from "../../src/simulator/answers/sentences.js";
import { answerText } from "../../src/simulator/answers/task.js";
import { estimateTokens } from "../../src/simulator/index.js";
import { truncateToTokens } from "../../src/simulator/token-estimate.js";
import { asking, at, contentOf, paths, post, simulate } from "./calling.js";

const mill =
  "The old mill stood by the river. It had ground corn for two hundred years. Mr. Smith bought the mill in 1901. " +
  "The river turned the wheel of the mill day and night. Children played there. In winter the river froze.";

describe("sentences", () => {
  it.each<[string, string[]]>([
    ["One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]],
    [
      "Dr. No met Mr. J. Bond, e.g. in Rome. Then he left.",
      ["Dr. No met Mr. J. Bond, e.g. in Rome.", "Then he left."],
    ],
    ["春天来了，树绿了。孩子们放风筝！夏天呢？", ["春天来了，树绿了。", "孩子们放风筝！", "夏天呢？"]],
    ["彼は「行く。」と言った。雨が降る。", ["彼は「行く。」", "と言った。", "雨が降る。"]],
    ["A heading\n\nA text over\ntwo lines.", ["A heading", "A text over two lines."]],
    ["It cost 3.50 in all. Fine.", ["It cost 3.50 in all.", "Fine."]],
    [" \n ", []],
  ])("of %j", (text, sentences) => {
    expect(splitSentences(text)).toEqual(sentences);
  });

  it("lose no letter of the text", () => {
    const letters = (text: string) => text.replace(/[^\p{L}\p{N}]/gu, "");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(letters(splitSentences(text).join(""))).toBe(letters(text));
      }),
    );
  });
});

describe("the simulated model", () => {
  it("summarizes by whole sentences of the document, as many as asked for", () => {
    const answer = answerText("You summarize.", `Summarize the following in two sentences:\n\n${mill}`);
    const sentences = splitSentences(answer.replace("[simulated] ", ""));
    expect(answer).toMatch(/^\[simulated\] The old mill stood by the river\./);
    expect(sentences).toHaveLength(2);
    for (const sentence of sentences) expect(mill).toContain(sentence);
  });

  it("summarizes in points when the instructions ask for points", () => {
    const answer = answerText(
      "You write abstracts.\n- One sentence that says what the document is.\n- Then 3 to 5 bullet points.",
      `Title: The mill\n\n<document>\n${mill}\n</document>`,
    );
    expect(answer.split("\n")[0]).toBe("[simulated] The old mill stood by the river.");
    expect(answer.match(/^- /gm)).toHaveLength(3);
    expect(answer).not.toContain("Title");
  });

  it("summarizes Chinese by its own sentences", () => {
    const text =
      "春天来了，河边的柳树绿了。孩子们在河边放风筝。河水流过村庄，流过田野。老人们坐在柳树下，说起河的故事。";
    const answer = answerText("", `请用两句话总结以下文章：\n\n${text}`);
    expect(answer).toMatch(/^\[simulated\] 春天来了，河边的柳树绿了。[^。]+。$/);
  });

  it.each([
    ["", "Translate into French: a blue shirt", "[simulated French] a blue shirt"],
    [
      "You are a translator into Traditional Chinese as used in Taiwan.",
      "The 18:40 ferry is cancelled.",
      "[simulated Traditional Chinese] The 18:40 ferry is cancelled.",
    ],
    [
      "Translate the text into the target language.",
      "Target language: Brazilian Portuguese\nBrand: X\n\n<description>\nA lamp.\n</description>",
      "[simulated Brazilian Portuguese] A lamp.",
    ],
    [
      "你是專業譯者。把使用者的中文譯成自然、口語的英文,只輸出譯文。",
      "他這個人刀子嘴豆腐心。",
      "[simulated 英文] 他這個人刀子嘴豆腐心。",
    ],
    ["", "Übersetze: x", "[simulated] Übersetze: x"],
  ])("translates in the frame of the target language: %s %s", (system, user, answer) => {
    expect(answerText(system, user)).toBe(answer);
  });

  it.each([
    [
      "",
      "Classify the review as one of: positive, negative, neutral.\n\nReview: nothing special",
      ["positive", "negative", "neutral"],
    ],
    [
      "Choose the one label that fits.\n\n# Labels\nbilling: payments, invoices\nshipping: parcels\nother: everything else\n\n# Rules\n1. Judge well.",
      "<ticket>\nHm\n</ticket>",
      ["billing", "shipping", "other"],
    ],
    ["# 标签\n物流：配送\n质量：故障\n\n# 规则\n1. 选一个", "<留言>\n你好\n</留言>", ["物流", "质量"]],
    [
      "Pick exactly one category:\n- red apples\n- green pears\n",
      "Text: fruit",
      ["red apples", "green pears"],
    ],
  ])("classifies by one of the labels in the prompt: %s %s", (system, user, labels) => {
    expect(labelsIn(`${system}\n${user}`)).toEqual(labels);
    expect(labels.map((label) => `[simulated] ${label}`)).toContain(answerText(system, user));
  });

  it("prefers the label that the document mentions", () => {
    const user = "Classify as one of: cats, dogs, birds.\n\nText: Dogs bark, and dogs run; cats do not.";
    expect(answerText("", user)).toBe("[simulated] dogs");
  });

  it.each([
    ["寫一個判斷輸入n是否是質數的python函數", /^\[simulated\]\n```python/],
    ["寫一首關於月亮的詩", /^\[simulated\] Once/],
    ["你是誰?", /^\[simulated\] A real model would now answer: 你是誰\?/],
    ["hello", /^\[simulated\] hello$/],
  ])("answers %s in its kind", (prompt, kind) => {
    expect(answerText("", prompt)).toMatch(kind);
  });

  it("always says that it is simulated, and answers the same to the same prompt", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (system, user) => {
        const answer = answerText(system, user);
        expect(answer).toMatch(/^\[simulated/);
        expect(answerText(system, user)).toBe(answer);
      }),
    );
  });

  it("answers to long and to awkward documents as well", () => {
    for (const text of [
      "word. ".repeat(200_000),
      "a".repeat(1_000_000),
      "<b>".repeat(300_000),
      '"""'.repeat(30_000),
      ": \n".repeat(50_000),
      `${".".repeat(59_000)}x`,
      "\n ".repeat(30_000),
      `labels\n${" x".repeat(100_000)}`,
    ]) {
      expect(answerText("", `Summarize:\n\n${text}`)).toMatch(/^\[simulated\] /);
    }
  });
});

describe("tokens", () => {
  it("of a truncated text are never more than asked for, and the text is its beginning", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), fc.nat(80), (text, tokens) => {
        const kept = truncateToTokens(text, tokens);
        expect(estimateTokens(kept)).toBeLessThanOrEqual(tokens);
        expect(text.startsWith(kept)).toBe(true);
        expect(Buffer.from(kept).toString()).toBe(kept);
      }),
    );
  });

  it("limit an answer at max_tokens, which finishes for length", async () => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking(mill, { max_tokens: 10 }));
    expect(at(reply.body, "choices", 0, "finish_reason")).toBe("length");
    expect(at(reply.body, "usage", "completion_tokens")).toBe(10);
  });

  it("of thinking count against max_completion_tokens, not against max_tokens", async () => {
    const simulator = await simulate();
    const think = (more: Record<string, unknown>) =>
      post(simulator, paths.openai, asking("hello", { model: "qwen3-max", enable_thinking: true, ...more }));
    expect(at((await think({ max_tokens: 20 })).body, "choices", 0, "finish_reason")).toBe("stop");
    expect(at((await think({ max_completion_tokens: 20 })).body, "choices", 0, "finish_reason")).toBe(
      "length",
    );
  });

  it("end at a stop sequence", async () => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking("one two three", { stop: ["three", "two"] }));
    expect(contentOf(reply)).toBe("[simulated] one ");
  });

  it("are cut to pieces anywhere in a fragmented stream, which says the same", async () => {
    const simulator = await simulate();
    const whole = await post(simulator, paths.openai, asking("[[sim:fragment=3]] 你好 🌊", { stream: true }));
    expect(whole.text).toContain("data: [DONE]");
    expect(whole.text).not.toContain("\ufffd");
  });
});
