import { describe, expect, it } from "vitest";
import type { Answer, Protocol } from "../../src/types.js";
import { bodyOf, OddServer, streamOf, WIRES, type OddAnswer, type OddReply } from "./odd-server.js";
import {
  ask,
  closeAfterEach,
  failureOf,
  plainAt,
  providerAt,
  studioAt,
  toClose,
  within,
} from "./providers.js";

closeAfterEach();

async function oddServer(...replies: readonly OddReply[]): Promise<OddServer> {
  const server = toClose(await OddServer.start());
  server.answer(...replies);
  return server;
}

const WHOLE: OddAnswer = {
  text: "四\n4 — “four” 🤔",
  reasoning: "二加二 🙂",
  finish: "stop",
  usage: { input_tokens: 12, output_tokens: 30, prompt_tokens: 12, completion_tokens: 30, total_tokens: 42 },
};

describe.each(["openai", "dashscope"] as const)("the same answer, %s protocol", (protocol: Protocol) => {
  describe.each([false, true])("streamed: %s", (isStream) => {
    it.each(WIRES)("is read however its bytes come: %s", async (wire) => {
      const body = isStream ? streamOf(WHOLE, protocol) : bodyOf(WHOLE, protocol);
      const server = await oddServer({ body, isStream, wire });
      const provider = providerAt(studioAt(server.url, protocol));
      for (const enableThinking of [false, true]) {
        // Asked for as a stream or not: what comes is what counts.
        const answer = await provider.call(ask("2 + 2?", { enableThinking }), within());
        expect(answer).toStrictEqual({
          text: WHOLE.text,
          reasoning: "二加二 🙂",
          finishReason: "stop",
          usage: {
            inputTokens: 12,
            outputTokens: 30,
            cachedInputTokens: 0,
            reasoningTokens: 0,
            thinking: true,
          },
          requestId: "odd-1",
        } satisfies Answer);
      }
      expect(server.requests[0]?.headers["accept-encoding"]).toBe("identity");
    });

    it.each(WIRES)("is read as the error it is: %s", async (wire) => {
      const error = { error: { message: "Slow down, try again in 1m 1.5s", code: "rate_limit_exceeded" } };
      const body = isStream ? `event: error\ndata: ${JSON.stringify(error)}\n\n` : JSON.stringify(error);
      const server = await oddServer({ status: 429, body, isStream, wire });
      const failure = await failureOf(providerAt(studioAt(server.url, protocol)).call(ask("Hi"), within()));
      expect(failure).toMatchObject({
        disposition: "throttled",
        code: "rate_limit_exceeded",
        httpStatus: 429,
        retryAfterMs: 61_500,
      });
    });
  });
});

describe("bytes that cannot be read", () => {
  it.each([
    ["a coding that nobody knows", { "Content-Encoding": "snappy" }, "snappy"],
    ["brotli that is none", { "Content-Encoding": "br" }, "br: "],
  ])("%s is named, and may have been billed", async (_what, headers, words) => {
    const server = await oddServer({ body: bodyOf(WHOLE), headers });
    const failure = await failureOf(providerAt(plainAt(server.url)).call(ask("Hi"), within()));
    expect(failure).toMatchObject({
      disposition: "retryable",
      kind: "bad_response",
      code: "unreadable_encoding",
      mayHaveBeenBilled: true,
    });
    expect(failure.message).toContain(words);
  });

  it("a small body that unfolds into a huge one is not taken in", async () => {
    const body = bodyOf({ ...WHOLE, text: "0".repeat(5_000_000) });
    const server = await oddServer({ body, wire: "gzip" });
    const provider = providerAt(plainAt(server.url), { maxResponseBytes: 1_000_000 });
    expect((await failureOf(provider.call(ask("Hi"), within()))).code).toBe("response_too_large");
  });

  it("a coding that is announced and broken off is an answer that was broken off", async () => {
    const server = toClose(await OddServer.start());
    const { gzipSync } = await import("node:zlib");
    server.handle((connection) => {
      connection.head(200, {
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        Connection: "close",
      });
      connection.socket.end(gzipSync(bodyOf(WHOLE)).subarray(0, 60));
    });
    const failure = await failureOf(providerAt(plainAt(server.url)).call(ask("Hi"), within()));
    expect(failure).toMatchObject({ kind: "bad_response", mayHaveBeenBilled: true });
  });
});

describe("a stream", () => {
  const piece = (content: string): string =>
    `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

  it.each([
    ["an error field, as llama.cpp wrote it", `error: {"code":400,"message":"the context is full"}\n\n`, 400],
    ["an error field that is only words", "error: the context is full\n\n", 200],
    [
      "an error object under data",
      `data: {"object":"error","message":"the context is full","code":"400"}\n\n`,
      400,
    ],
    ["an error of one level, numbered", `data: {"code":400,"message":"the context is full"}\n\n`, 400],
    ["an error event", `event: error\ndata: {"message":"the context is full","status_code":400}\n\n`, 400],
  ])("ends with %s", async (_what, last, httpStatus) => {
    const server = await oddServer({ body: `${piece("Half")}${last}data: [DONE]\n\n`, isStream: true });
    const failure = await failureOf(providerAt(plainAt(server.url)).call(ask("Hi"), within()));
    expect(failure).toMatchObject({ httpStatus, mayHaveBeenBilled: true });
    expect(failure.message).toContain("the context is full");
  });

  it("that is done without a finish reason is an answer, one that only stops is not", async () => {
    const body = piece("All ") + piece("of it");
    const server = await oddServer(
      { body: `${body}data: [DONE]\n\n`, isStream: true },
      { body, isStream: true },
      { body: "data: [DONE]\n\n", isStream: true },
    );
    const provider = providerAt(plainAt(server.url));
    expect(await provider.call(ask("Hi"), within())).toMatchObject({
      text: "All of it",
      finishReason: "unknown",
      usage: null,
    });
    expect((await failureOf(provider.call(ask("Hi"), within()))).code).toBe("truncated_stream");
    expect((await failureOf(provider.call(ask("Hi"), within()))).code).toBe("truncated_stream");
  });

  it.each([
    ["comments", ": ping\n\n"],
    ["empty data", "data: \n\n"],
    ["ping events", 'event: ping\ndata: {"type":"ping"}\n\n'],
    ["chunks without a word", 'data: {"choices":[{"delta":{"content":""}}]}\n\n'],
    ["chunks without a choice", 'data: {"choices":[]}\n\n'],
  ])("that only keeps the line alive is silent: %s", async (_what, ping) => {
    const server = toClose(await OddServer.start());
    server.handle(({ socket }) => {
      socket.write("HTTP/1.1 200 Odd\r\nContent-Type: text/event-stream\r\n\r\n");
      const pings = setInterval(() => socket.write(ping), 5);
      socket.on("close", () => clearInterval(pings));
    });
    const failure = await failureOf(providerAt(plainAt(server.url)).call(ask("Hi"), within(150)));
    expect(failure).toMatchObject({ kind: "timeout", mayHaveBeenBilled: true });
    expect(failure.message).toContain("no data for 150 ms");
  });

  it("tells its usage piece by piece, and where others do not", async () => {
    const server = await oddServer(
      {
        body: `data: {"choices":[],"usage":{"input_tokens":7,"output_tokens":null}}\n\n${piece("ok")}data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"output_tokens":3}}\n\n`,
        isStream: true,
      },
      {
        body: `${piece("ok")}data: {"choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":9,"completion_tokens":2,"cached_tokens":4}}]}\n\n`,
        isStream: true,
      },
      {
        body: `${piece("ok")}data: {"choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":5,"completion_tokens":1}}}\n\n`,
        isStream: true,
      },
    );
    const provider = providerAt(plainAt(server.url));
    const usages = [];
    for (let call = 0; call < 3; call += 1) usages.push((await provider.call(ask("Hi"), within())).usage);
    expect(usages).toStrictEqual([
      { inputTokens: 7, outputTokens: 3, cachedInputTokens: 0, reasoningTokens: 0 },
      { inputTokens: 9, outputTokens: 2, cachedInputTokens: 4, reasoningTokens: 0 },
      { inputTokens: 5, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0 },
    ]);
  });
});
