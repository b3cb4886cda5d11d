import * as fc from "fast-check";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LineBuffer } from "../../src/journal/line-buffer.js";
import { parseLine, skimLine } from "../../src/journal/parse-line.js";
import { skimSettled } from "../../src/journal/skim-settled.js";
import { run } from "../../src/run/run.js";
import { tempFolder } from "../support/temp-folder.js";
import { usage } from "./events.js";

const ROWS = 1_000;
const output = { text: "yes", reasoning: null, finishReason: "stop" };

const row = {
  rowIndex: 1,
  customId: "r1",
  model: "qwen-plus",
  preset: "translation",
  attempts: 1,
  requestId: null,
  usage,
  latencyMs: 12,
  finishedAt: "2026-01-02T03:04:05.678Z",
  requestDigest: undefined as string | undefined,
  status: "succeeded",
  output,
  event: "settled",
  key: 7,
  billing: "billed",
};
/** Members in their order: a worker elsewhere is named first and numbers its events, one beside its coordinator is named last. */
const remote = { worker: "w1", seq: 3, ...row };
const local = { ...row, worker: "local-1" };

function sealed(event: object): Buffer {
  const buffer = new LineBuffer();
  buffer.add(JSON.stringify(event));
  return Buffer.from(buffer.bytes.subarray(0, -1));
}

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "grapheme" }) },
  fc.constantFrom('","finishReason":"x"}', '{"a":"b"}', "null", "\\", "\n", "x".repeat(2_000)),
);
const count = fc.oneof(fc.nat(1_100), fc.constantFrom(Number.MAX_SAFE_INTEGER, -1, 0.5));
const partly = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<object> =>
  fc.record(fields, { requiredKeys: [] });
const toolCalls = fc.array(fc.record({ finishReason: text }), { maxLength: 2 });

/** What some of them may be instead, in lines of workers and in some that no worker would write. */
const unusual = partly({
  worker: text,
  seq: fc.nat(5),
  key: count,
  billing: fc.constantFrom("free", "possible", "unpaid"),
  rowIndex: count,
  customId: text,
  model: text,
  preset: fc.option(text),
  attempts: count,
  requestId: text,
  usage: fc.option(
    partly({ inputTokens: count, thinking: fc.boolean(), imageTokens: count }).map((more) => ({
      ...usage,
      ...more,
    })),
  ),
  latencyMs: count,
  finishedAt: fc.constantFrom("2026-01-02T03:04:05Z", "soon"),
  requestDigest: text,
  status: fc.constant("failed"),
  output: partly({ text, reasoning: text, finishReason: text, toolCalls }).map((more) => ({
    ...output,
    ...more,
  })),
}).chain((fields) => fc.subarray(Object.entries(fields), { maxLength: 3 }));

describe("A line that is skimmed", () => {
  it("says what it says when it is parsed, but for the answer's text", () => {
    let skimmed = 0;
    fc.assert(
      fc.property(fc.constantFrom(remote, local), unusual, (usual, fields) => {
        const event = { ...usual, ...Object.fromEntries(fields) };
        const line = sealed(event);
        const parsed = parseLine(line, ROWS);
        const seen = skimLine(line, ROWS);
        if (skimSettled(line, ROWS) === null) {
          expect(seen).toEqual(parsed);
          return;
        }
        skimmed++;
        const { finishReason } = event.output;
        expect(typeof parsed).toBe("object");
        expect(seen).toEqual({ ...(parsed as object), output: { text: "", reasoning: null, finishReason } });
      }),
      { numRuns: 1_000 },
    );
    expect(skimmed).toBeGreaterThan(50);
  });

  it.each([
    ["a model that thinks", { usage: { ...usage, thinking: true } }],
    ["a request that is known", { requestDigest: "AAAAAAAAAAAAAAAAAAAAAA" }],
    ["a customId of any language", { customId: "行-1 é" }],
    ["an answer of any text", { output: { ...output, text: 'Ä "quoted"\n', reasoning: "so" } }],
  ])("is the usual one of %s", (_what, more) => {
    for (const usual of [remote, local])
      expect(skimSettled(sealed({ ...usual, ...more }), ROWS)).not.toBeNull();
  });

  it("is what a run writes", async () => {
    const cwd = await tempFolder();
    await writeFile(join(cwd, "in.csv"), "id,text\na,one\nb,two\n");
    const { directory } = await run({
      cwd,
      env: {},
      simulate: { latency: { kind: "fixed", ms: 0 } },
      job: {
        name: "j",
        model: "qwen-plus",
        input: { path: "in.csv", id: "id" },
        prompt: { user: "{{ text }}" },
      },
    });
    const text = await readFile(join(directory, "journal.jsonl"), "utf8");
    const lines = text.split("\n").filter((line) => line.includes('"event":"settled"'));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(skimSettled(Buffer.from(line), ROWS)).not.toBeNull();
  });
});
