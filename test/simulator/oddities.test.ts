import { readFileSync } from "node:fs";
import { once } from "node:events";
import { connect } from "node:net";
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";

import { describe, expect, it } from "vitest";

import { faultHelp, plannedOddities, requestFingerprint } from "../../src/simulator/index.js";
import { oddGroups, oddities } from "../../src/simulator/oddities.js";
import {
  asking,
  askingNatively,
  at,
  contentOf,
  eventData,
  paths,
  post,
  postRaw,
  simulate,
} from "./calling.js";
import { until } from "../support/until.js";

const native = { result_format: "message" };
const streamed = { stream: true, stream_options: { include_usage: true } };
const everyOddity = oddGroups.flatMap((group) =>
  Object.keys(oddities[group]).map((name) => ({ group, name })),
);

describe("usage in an odd shape", () => {
  const counts = "input_tokens=100;output_tokens=50;cached=40";
  const usageOf = async (shape: string, markers = counts) => {
    const simulator = await simulate();
    const text = `[[sim:${markers};usage=${shape}]] hello`;
    const compatible = await post(simulator, paths.openai, asking(text));
    const byNative = await post(simulator, paths.text, askingNatively(text, native));
    expect([compatible.status, byNative.status]).toEqual([200, 200]);
    return { compatible: at(compatible.body, "usage"), native: at(byNative.body, "usage"), simulator };
  };

  it.each<[string, unknown, unknown]>([
    ["missing", undefined, undefined],
    ["null", null, null],
    ["empty", {}, {}],
    [
      "plain",
      { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
      { input_tokens: 100, output_tokens: 50, total_tokens: 150 },
    ],
    [
      "null_details",
      { completion_tokens: 50, prompt_tokens_details: null, completion_tokens_details: null },
      { output_tokens: 50, prompt_tokens_details: null, output_tokens_details: null },
    ],
    [
      "zero",
      {
        prompt_tokens: 0,
        completion_tokens: 0,
        total_tokens: 0,
        prompt_tokens_details: { cached_tokens: 0 },
      },
      { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
    ],
    [
      "strings",
      { prompt_tokens: "100", completion_tokens: "50", prompt_tokens_details: { cached_tokens: "40" } },
      { input_tokens: "100", output_tokens: "50" },
    ],
    ["fractional", { prompt_tokens: 100.5, total_tokens: 150.5 }, { input_tokens: 100.5 }],
    ["negative", { prompt_tokens: -101, completion_tokens: -51 }, { output_tokens: -51 }],
    ["infinite", { prompt_tokens: Infinity, completion_tokens: Infinity }, { input_tokens: Infinity }],
    ["total_beyond", { prompt_tokens: 100, completion_tokens: 50, total_tokens: 250 }, { total_tokens: 250 }],
    ["total_below", { prompt_tokens: 100, completion_tokens: 50, total_tokens: 100 }, { total_tokens: 100 }],
    [
      "reasoning_beyond",
      { completion_tokens: 50, total_tokens: 150, completion_tokens_details: { reasoning_tokens: 144 } },
      { output_tokens: 50, output_tokens_details: { reasoning_tokens: 144 } },
    ],
    [
      "cached_beyond",
      { prompt_tokens: 100, prompt_tokens_details: { cached_tokens: 150 } },
      { input_tokens: 100, prompt_tokens_details: { cached_tokens: 150 } },
    ],
    [
      "grok",
      {
        prompt_tokens: 100,
        completion_tokens: 50,
        total_tokens: 244,
        completion_tokens_details: { reasoning_tokens: 94 },
      },
      { output_tokens: 50, total_tokens: 244, output_tokens_details: { reasoning_tokens: 94 } },
    ],
    [
      "anthropic",
      { input_tokens: 60, cache_read_input_tokens: 40, cache_creation_input_tokens: 0, output_tokens: 50 },
      { input_tokens: 60, cache_read_input_tokens: 40, output_tokens: 50 },
    ],
    [
      "deepseek",
      { prompt_tokens: 100, prompt_cache_hit_tokens: 40, prompt_cache_miss_tokens: 60 },
      { input_tokens: 100, prompt_cache_hit_tokens: 40, prompt_cache_miss_tokens: 60 },
    ],
    ["cached_at_top", { prompt_tokens: 100, cached_tokens: 40 }, { input_tokens: 100, cached_tokens: 40 }],
  ])("%s", async (shape, compatible, byNative) => {
    const usage = await usageOf(shape);
    const match = (value: unknown) =>
      typeof value === "object" && value !== null ? expect.objectContaining(value) : value;
    expect(usage.compatible).toEqual(match(compatible));
    expect(usage.native).toEqual(match(byNative));
  });

  it("no_total has input and output", async () => {
    const { compatible } = await usageOf("no_total");
    expect(compatible).toMatchObject({ prompt_tokens: 100, completion_tokens: 50 });
    expect(compatible).not.toHaveProperty("total_tokens");
  });

  it("is counted by the call log as it really was", async () => {
    for (const shape of ["missing", "zero", "negative", "anthropic"]) {
      const { simulator } = await usageOf(shape);
      expect(simulator.calls().tokens).toMatchObject({ input: 200, output: 100, cachedInput: 80 });
    }
    const { simulator } = await usageOf("grok");
    expect(simulator.calls().tokens).toMatchObject({ input: 200, output: 2 * 144, reasoning: 2 * 94 });
  });

  it("has something from the cache where the shape is about the cache", async () => {
    const { compatible } = await usageOf("deepseek", "input_tokens=100");
    expect(compatible).toMatchObject({ prompt_cache_hit_tokens: 50, prompt_cache_miss_tokens: 50 });
  });

  it("comes in the last chunk of a stream, or not at all", async () => {
    const simulator = await simulate();
    const last = async (shape: string) =>
      eventData((await post(simulator, paths.openai, asking(`[[sim:usage=${shape}]] x`, streamed))).text).at(
        -1,
      );
    expect(await last("null")).toMatchObject({ choices: [], usage: null });
    expect(await last("strings")).toMatchObject({ usage: { prompt_tokens: expect.any(String) as string } });
    expect(await last("missing")).toMatchObject({ choices: [{ finish_reason: "stop" }] });
  });
});

describe("an odd finish reason", () => {
  const whole = "one two three four five six seven eight";
  const ask = async (finish: string, more: Record<string, unknown> = {}) => {
    const simulator = await simulate();
    return post(simulator, paths.openai, asking(`[[sim:finish=${finish}]] [[sim:answer=${whole}]]`, more));
  };

  it.each(["STOP", "end_turn", "stop_sequence", "eos_token", "nobody_knows"])(
    "%s ends a whole text",
    async (finish) => {
      const reply = await ask(finish);
      expect(at(reply.body, "choices", 0, "finish_reason")).toBe(finish);
      expect(contentOf(reply)).toBe(whole);
    },
  );

  it.each([
    "length",
    "max_tokens",
    "MAX_TOKENS",
    "content_filter",
    "SAFETY",
    "sensitive",
    "refusal",
    "error",
    "insufficient_system_resource",
    "network_error",
    "abort",
  ])("%s ends half a text", async (finish) => {
    const reply = await ask(finish);
    expect(at(reply.body, "choices", 0, "finish_reason")).toBe(finish);
    expect(whole.startsWith(contentOf(reply))).toBe(true);
    expect(contentOf(reply).length).toBeLessThan(whole.length);
    expect(contentOf(reply)).not.toBe("");
  });

  it("null is JSON null, and in a stream the [DONE] comes without any finish reason", async () => {
    const reply = await ask("null");
    expect(at(reply.body, "choices", 0, "finish_reason")).toBeNull();
    expect(contentOf(reply)).toBe(whole);
    const stream = await ask("null", { stream: true });
    expect(eventData(stream.text).map((data) => at(data, "choices", 0, "finish_reason"))).toEqual(
      eventData(stream.text).map(() => null),
    );
    expect(stream.text).toMatch(/data: \[DONE\]\n\n$/);
  });

  it("choice_error holds an error in the choice, with half a text or none, streamed or not", async () => {
    const choice = { finish_reason: "error", error: { code: 502 } };
    const half = await ask("choice_error");
    expect(half.body).toMatchObject({ choices: [choice] });
    expect(contentOf(half)).not.toBe("");
    const empty = await ask("choice_error_empty");
    expect(empty.body).toMatchObject({ choices: [choice] });
    expect(contentOf(empty)).toBe("");
    const stream = eventData((await ask("choice_error", streamed)).text);
    expect(stream.at(-2)).toMatchObject({ choices: [choice] });
    expect(stream.slice(0, -2).some((data) => at(data, "choices", 0, "error") !== undefined)).toBe(false);
  });

  it("stands in native answers as well, and only at the end of a native stream", async () => {
    const simulator = await simulate();
    const body = askingNatively("[[sim:finish=choice_error]] hello there, hello again", native);
    const choice = { finish_reason: "error", error: { code: 502 } };
    const reply = await post(simulator, paths.text, body);
    expect(at(reply.body, "output")).toMatchObject({ choices: [choice] });
    const stream = eventData((await post(simulator, paths.text, body, { "x-dashscope-sse": "enable" })).text);
    expect(at(stream.at(-1), "output")).toMatchObject({ choices: [choice] });
    expect(at(stream[0], "output", "choices", 0, "error")).toBeUndefined();
  });
});

describe("an odd body", () => {
  const ask = async (form: string, more: Record<string, unknown> = {}) => {
    const simulator = await simulate();
    return postRaw(simulator, paths.openai, asking(`[[sim:body=${form}]] hello`, more));
  };

  it.each([
    ["gzip", "gzip", gunzipSync],
    ["br", "br", brotliDecompressSync],
    ["deflate", "deflate", inflateSync],
    ["raw_deflate", "deflate", inflateRawSync],
  ] as const)("%s is encoded, streamed or not", async (form, encoding, decode) => {
    for (const more of [{}, streamed]) {
      const { headers, bytes } = await ask(form, more);
      expect(headers["content-encoding"]).toBe(encoding);
      const text = decode(bytes).toString();
      expect(text).toContain("[simulat");
      expect(text.startsWith(more === streamed ? "data: {" : "{")).toBe(true);
    }
  });

  it("bom begins with a byte order mark", async () => {
    const { bytes } = await ask("bom");
    expect([...bytes.subarray(0, 4)]).toEqual([0xef, 0xbb, 0xbf, 0x7b]);
  });

  it("crlf has no bare line feed in a stream", async () => {
    const { bytes } = await ask("crlf", streamed);
    expect(bytes.toString()).toMatch(/^data: \{.*\}\r\n\r\n/);
    expect(bytes.toString()).not.toMatch(/[^\r]\n/);
  });

  it("padded begins with comments, or with white space that JSON allows", async () => {
    expect((await ask("padded", streamed)).bytes.toString()).toMatch(/^: ping\n\n/);
    const { bytes } = await ask("padded");
    expect(bytes.toString()).toMatch(/^\n +\n/);
    expect(JSON.parse(bytes.toString())).toHaveProperty("choices");
  });

  it("no_done leaves [DONE] out", async () => {
    const { bytes } = await ask("no_done", streamed);
    expect(bytes.toString()).toContain('"finish_reason":"stop"');
    expect(bytes.toString()).not.toContain("[DONE]");
  });

  it("events is a stream that nobody asked for, with usage, and called JSON", async () => {
    const { headers, bytes } = await ask("events");
    expect(headers["content-type"]).toBe("application/json");
    expect(eventData(bytes.toString()).at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: expect.any(Number) as number },
    });
  });

  it("whole is JSON where a stream was asked for", async () => {
    const { headers, bytes } = await ask("whole", streamed);
    expect(headers["content-type"]).toBe("application/json");
    expect(JSON.parse(bytes.toString())).toHaveProperty("choices");
  });

  it.each([{}, { stream: true }])(
    "close ends a connection that its head lets the client keep: %j",
    async (more) => {
      const simulator = await simulate();
      const body = JSON.stringify(asking("[[sim:body=close]] hello", more));
      const socket = connect(Number(new URL(simulator.url).port), "127.0.0.1");
      let received = "";
      socket.setEncoding("utf8").on("data", (text: string) => (received += text));
      const ended = once(socket, "end");
      socket.write(
        `POST ${paths.openai} HTTP/1.1\r\nhost: simulator\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      await ended;
      socket.destroy();
      expect(received).toMatch(/^HTTP\/1\.1 200 /);
      expect(received).toMatch(/\r\nConnection: keep-alive\r\n/i);
      expect(received).toContain("[simulat");
      expect(simulator.calls().answered).toBe(1);
    },
  );
});

describe("an odd text", () => {
  const ask = async (text: string, more: Record<string, unknown> = {}) => {
    const simulator = await simulate();
    const prompt = `[[sim:text=${text}]] [[sim:reasoning=let me see]] [[sim:answer=fine]]`;
    return post(simulator, paths.openai, asking(prompt, more));
  };

  it.each([
    ["think", "<think>\nlet me see\n</think>\n\nfine", "stop"],
    ["think_unopened", "let me see\n</think>\n\nfine", "stop"],
    ["think_unclosed", "<think>\nlet me see", "length"],
  ])("%s holds the reasoning", async (text, content, finish) => {
    for (const enable_thinking of [false, true]) {
      const reply = await ask(text, { enable_thinking });
      expect(contentOf(reply)).toBe(content);
      expect(at(reply.body, "choices", 0)).toMatchObject({ finish_reason: finish });
      expect(at(reply.body, "choices", 0, "message")).not.toHaveProperty("reasoning_content");
    }
  });

  it("think comes before JSON of a schema", async () => {
    const simulator = await simulate();
    const schema = { type: "object", properties: { label: { enum: ["pos"] } } };
    const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
    const reply = await post(simulator, paths.openai, asking("[[sim:text=think]] hi", { response_format }));
    expect(contentOf(reply)).toMatch(/^<think>[\s\S]+<\/think>\n\n\{"label":"pos"\}$/);
  });

  it("parts is a list, the thinking first", async () => {
    const reply = await ask("parts", { enable_thinking: true });
    expect(at(reply.body, "choices", 0, "message", "content")).toEqual([
      { type: "thinking", thinking: [{ type: "text", text: "let me see" }] },
      { type: "text", text: "fi" },
      { type: "text", text: "ne" },
    ]);
  });
});

describe("another's reply in place of the model's", () => {
  it.each<[string, number, RegExp]>([
    ["bad_gateway", 502, /<html>.*502 Bad Gateway/],
    ["html_403", 403, /<html>.*blocked/],
    ["html_200", 200, /<html>/],
    ["not_found_text", 404, /^404 page not found$/m],
    ["moderation_403", 403, /"code":403,"metadata":\{"reasons"/],
    ["unprocessable_422", 422, /"detail":\[/],
    ["loading_503", 503, /"code":503/],
    ["retry_in_message", 429, /try again in 200ms/],
    ["error_string_200", 200, /^\{"error":"model is overloaded"\}$/],
    ["error_object_200", 200, /^\{"object":"error".*"code":503\}$/],
    ["error_inside_200", 200, /^\{"error":\{.*"code":502\}\}$/],
    ["redirect", 308, /^\{\}$/],
  ])("%s is a %i", async (fault, status, body) => {
    const simulator = await simulate();
    const text = `[[sim:fault=${fault};retry_after=3]]`;
    for (const [path, request] of [
      [paths.openai, asking(text)],
      [paths.text, askingNatively(text)],
    ] as const) {
      const reply = await postRaw(simulator, path, request);
      expect(reply.status).toBe(status);
      expect(reply.bytes.toString()).toMatch(body);
      expect(reply.headers["retry-after"]).toBe("3");
      if (fault === "redirect") expect(reply.headers.location).toBe("/elsewhere/v1/chat/completions");
      if (fault === "retry_in_message") expect(reply.headers["x-ratelimit-reset-requests"]).toBe("200ms");
    }
    expect(simulator.calls()).toMatchObject({
      answered: 0,
      rejected: { [status]: 2 },
      tokens: { output: 0 },
    });
  });

  it.each([
    [true, ": ping\n\n: ping\n\n"],
    [false, "\n\n"],
  ])("pings keep a call alive that is never answered, streamed: %s", async (stream, pings) => {
    const simulator = await simulate({ slowBodyMs: 20 });
    const leaving = new AbortController();
    const response = await fetch(simulator.url + paths.openai, {
      method: "POST",
      body: JSON.stringify(asking("[[sim:fault=pings]]", { stream })),
      signal: leaving.signal,
    });
    let received = "";
    const reading = (async () => {
      for await (const chunk of response.body ?? []) received += Buffer.from(chunk as Uint8Array).toString();
    })().catch(() => "left");
    await until("two pings have come", () => received.startsWith(pings));
    expect(simulator.calls()).toMatchObject({ inFlight: 1, answered: 0 });
    leaving.abort();
    await reading;
    await until("it is over", () => simulator.calls().dropped === 1);
    expect(simulator.calls().droppedTokens.output).toBe(0);
  });

  it("stream_error_line ends half a stream by a line that is no data", async () => {
    const simulator = await simulate();
    const body = asking("[[sim:fault=stream_error_line]] tell me something of some length", { stream: true });
    const { text } = await post(simulator, paths.openai, body);
    expect(text).toMatch(/^data: \{/);
    expect(text).toMatch(/\nerror: \{"code":500,"message":"[^\n]+"\}\n\n$/);
  });
});

describe("oddities", () => {
  it("are drawn apart for each group and call, as often as their share says", async () => {
    const errors = { "usage:missing": 0.3, "usage:null": 0.2, "finish:error": 0.5 } as const;
    const seen: Record<string, number> = {};
    for (let row = 0; row < 4_000; row++) {
      const { usage = "-", finish = "-" } = plannedOddities(
        errors,
        3,
        requestFingerprint(asking(`${row}`)),
        1,
      );
      seen[`${usage} ${finish}`] = (seen[`${usage} ${finish}`] ?? 0) + 1 / 4_000;
    }
    expect(seen["missing error"]).toBeCloseTo(0.15, 1);
    expect(seen["null -"]).toBeCloseTo(0.1, 1);
    expect(seen["- -"]).toBeCloseTo(0.25, 1);
    const simulator = await simulate({ seed: 3, errors });
    for (let row = 0; row < 20; row++) {
      const body = asking(`${row}`);
      const { usage, finish } = plannedOddities(errors, 3, requestFingerprint(body), 1);
      const reply = await post(simulator, paths.openai, body);
      expect(at(reply.body, "usage") === undefined).toBe(usage === "missing");
      expect(at(reply.body, "choices", 0, "finish_reason")).toBe(finish ?? "stop");
    }
  });

  it.each(everyOddity)(
    "$group:$name is answered by both protocols, streamed or not",
    async ({ group, name }) => {
      const simulator = await simulate({ errors: { [`${group}:${name}`]: 1 } });
      const events = { "x-dashscope-sse": "enable" };
      const replies = await Promise.all([
        postRaw(simulator, paths.openai, asking("hello there")),
        postRaw(simulator, paths.openai, asking("hello there", streamed)),
        postRaw(simulator, paths.text, askingNatively("hello there", native)),
        postRaw(simulator, paths.text, askingNatively("hello there", native), events),
      ]);
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(replies.every(({ bytes }) => bytes.length > 0)).toBe(true);
      expect(simulator.calls()).toMatchObject({ answered: 4, total: 4 });
    },
  );

  it("and faults are each explained by the help and in the docs", () => {
    const docs = readFileSync(new URL("../../docs/simulator.md", import.meta.url), "utf8");
    const names = [...faultHelp().matchAll(/^ {2}([A-Za-z_0-9]+) {2,}\S/gm)].map((found) => found[1] ?? "");
    expect(names).toEqual(expect.arrayContaining(everyOddity.map(({ name }) => name)));
    expect(names.filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
  });
});
