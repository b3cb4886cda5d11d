import { describe, expect, it } from "vitest";
import { EventParser } from "../../src/provider/http/sse.js";
import type { ServerEvent } from "../../src/provider/http/sse.js";
import { usageOf } from "../../src/provider/reply/answer.js";
import { StreamAssembly } from "../../src/provider/reply/stream-assembly.js";

/** Puts a stream together from pieces and says what came out. */
function assemble(pieces: readonly Uint8Array[]): StreamAssembly {
  const assembly = new StreamAssembly();
  const parser = new EventParser(assembly);
  if (!pieces.some((piece) => parser.push(piece))) parser.end();
  return assembly;
}

function eventsIn(stream: string): ServerEvent[] {
  const taken: ServerEvent[] = [];
  const parser = new EventParser({ take: (event) => taken.push(event) < 0 });
  parser.push(Buffer.from(stream));
  parser.end();
  return taken;
}

const chunk = (delta: unknown, finishReason: string | null = null): string =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", choices: [{ index: 0, delta, finish_reason: finishReason }] })}`;

/** The order of a thinking stream in the compatible protocol: reasoning, answer, then usage without choices. */
const OPENAI_STREAM = [
  chunk({ role: "assistant", content: null, reasoning_content: "想一" }),
  chunk({ reasoning_content: "想🤔" }),
  chunk({ content: "你", reasoning_content: null }),
  ": keep-alive",
  chunk({ content: "好\n世界" }),
  chunk({ content: "" }, "stop"),
  'data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1668,"total_tokens":1678,"completion_tokens_details":{"reasoning_tokens":1353},"prompt_tokens_details":{"cached_tokens":4}}}',
  "data: [DONE]",
];

const nativeChunk = (
  id: number,
  message: unknown,
  finishReason: string | null,
  outputTokens: number,
): string =>
  `id:${id}\nevent:result\n:HTTP_STATUS/200\ndata:${JSON.stringify({ output: { choices: [{ message, finish_reason: finishReason }] }, usage: { input_tokens: 10, output_tokens: outputTokens }, request_id: "n-1" })}`;

const NATIVE_STREAM = [
  nativeChunk(1, { role: "assistant", content: "", reasoning_content: "想一想🤔" }, "null", 3),
  nativeChunk(2, { content: [{ text: "你好" }] }, null, 4),
  nativeChunk(3, { content: "\n世界" }, "stop", 5),
];

describe.each([
  ["LF", "\n"],
  ["CRLF", "\r\n"],
  ["CR", "\r"],
])("a stream with %s line ends", (_name, lineEnd) => {
  it.each([
    ["compatible", OPENAI_STREAM, "chatcmpl-1", 1668],
    ["native", NATIVE_STREAM, "n-1", 5],
  ] as const)("is the same wherever its bytes are cut: %s", (_protocol, blocks, requestId, outputTokens) => {
    const bytes = Buffer.from(
      blocks.map((block) => block.replaceAll("\n", lineEnd) + lineEnd + lineEnd).join(""),
    );
    const expected = {
      text: "你好\n世界",
      reasoning: "想一想🤔",
      finishReason: "stop",
      requestId,
    };
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const assembly = assemble([bytes.subarray(0, cut), bytes.subarray(cut)]);
      expect(assembly.reply()).toMatchObject(expected);
      expect(usageOf(assembly.reply(), false)).toMatchObject({ inputTokens: 10, outputTokens });
    }
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(assemble(single).reply()).toMatchObject(expected);
  });
});

describe("events", () => {
  it("join several data lines, keep their event and status, and skip comments and unknown fields", () => {
    expect(
      eventsIn(":hello\nretry: 5\nid:7\nevent: error\nstatus: 400\ndata: a\ndata:b\ndata\n\ndata: c"),
    ).toStrictEqual([
      { event: "error", data: "a\nb\n", status: 400 },
      { event: "", data: "c", status: null },
    ]);
  });

  it("without data are none", () => {
    expect(eventsIn("event: ping\n\n\n\n:only a comment\n\n")).toStrictEqual([]);
  });

  it("a line of a megabyte in small pieces costs no more than its length", () => {
    const taken: number[] = [];
    const parser = new EventParser({ take: (event) => taken.push(event.data.length) < 0 });
    parser.push(Buffer.from("data: "));
    for (let piece = 0; piece < 100_000; piece += 1) parser.push(Buffer.from("0123456789"));
    parser.push(Buffer.from("\n\n"));
    expect(taken).toStrictEqual([1_000_000]);
  });
});

describe("assembly", () => {
  it("merges the deltas of several tool calls", () => {
    const delta = (index: number, call: unknown): string =>
      chunk({ tool_calls: [{ index, ...(call as object) }] });
    const stream = [
      delta(0, { id: "call_a", type: "function", function: { name: "weather", arguments: "" } }),
      delta(0, { function: { arguments: '{"city":' } }),
      delta(1, { id: "call_b", type: "function", function: { name: "time", arguments: "{}" } }),
      delta(0, { id: "", function: { name: null, arguments: '"杭州"}' } }),
      chunk({ content: "" }, "tool_calls"),
      "data: [DONE]",
    ];
    expect(assemble([Buffer.from(stream.join("\n\n") + "\n\n")]).reply()).toMatchObject({
      finishReason: "tool_calls",
      toolCalls: [
        { id: "call_a", type: "function", function: { name: "weather", arguments: '{"city":"杭州"}' } },
        { id: "call_b", type: "function", function: { name: "time", arguments: "{}" } },
      ],
    });
  });

  it("takes an error event that is not JSON as the server's words", () => {
    const assembly = assemble([Buffer.from("event:error\nstatus:503\ndata:upstream gone\n\n")]);
    expect(assembly.error).toMatchObject({ status: 503, message: "upstream gone" });
  });

  it("reads an error inside a chunk of the compatible protocol", () => {
    const assembly = assemble([
      Buffer.from(`${chunk({ content: "a" })}\n\ndata: {"error":{"message":"busy","code":"Throttling"}}\n\n`),
    ]);
    expect(assembly.error).toMatchObject({ code: "Throttling", message: "busy", requestId: "chatcmpl-1" });
  });

  it("knows a stream that was cut from one that ended", () => {
    expect(assemble([Buffer.from(`${chunk({ content: "a" })}\n\n`)]).finished).toBe(false);
    expect(assemble([Buffer.from(`${chunk({ content: "a" }, "stop")}\n\n`)]).finished).toBe(true);
    expect(assemble([Buffer.from(`${chunk({ content: "a" })}\n\ndata: {"choi\n\n`)]).damaged).toBe(true);
  });
});
