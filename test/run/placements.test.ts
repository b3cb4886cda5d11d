import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { silentLog } from "../../src/log.js";
import { hostWorker, newWorkerId } from "../../src/fleet/worker-host.js";
import { connectRedis, disconnectRedis } from "../../src/queue/redis-connection.js";
import type { Simulator } from "../../src/simulator/index.js";
import { afterTest } from "../support/after-test.js";
import { startRedis } from "../support/redis-server.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";
import { onlyResult, runRows, type RunningOptions } from "./running.js";

/** Where calls are made: rows and answers take other ways, and what comes of them must not differ. */
const placements: readonly (readonly [string, (simulator: Simulator) => Promise<RunningOptions>])[] = [
  ["in this process, on the embedded queue", async (simulator) => ({ simulator, queue: null })],
  ["by a worker elsewhere, on Redis", (simulator) => withWorker(simulator)],
];

/** A worker with a Redis of its own, since it serves every run that it finds there. */
async function withWorker(simulator: Simulator): Promise<RunningOptions> {
  const redis = await startRedis();
  afterTest(() => redis.stop());
  const connection = await connectRedis(redis.url);
  const stopping = new AbortController();
  const config = await loadConfig({
    cwd: await tempFolder(),
    env: { PROMPTMILL_SIMULATOR_URL: simulator.url },
  });
  const hosting = hostWorker({
    redis: connection,
    config,
    concurrency: 4,
    graceMs: 1_000,
    workerId: newWorkerId(),
    signal: stopping.signal,
    hurry: new AbortController().signal,
    log: silentLog,
  });
  afterTest(async () => {
    stopping.abort();
    await hosting;
    await disconnectRedis(connection);
  });
  return { simulator, queue: redis.url, worker: false };
}

const png = Buffer.from("89504e470d0a1a0a0000000d49484452000000140000001408000000000000000000", "hex");

describe.each(placements)("calls made %s", (_, place) => {
  it("hold answers to their schema, and keep what did not fit", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      {
        model: "qwen-max",
        output: {
          schema: { type: "object", properties: { color: { type: "string" } }, required: ["color"] },
        },
      },
      [
        { prompt: "[[sim:fault=invalid_json_output;times=1]] Which color?" },
        { prompt: "[[sim:answer=None at all \u0000]]" },
      ],
      await place(simulator),
    );
    const [first, second] = [0, 1].map((row) => done.journal.find(({ rowIndex }) => rowIndex === row));
    expect(first).toMatchObject({ status: "succeeded", attempts: 2 });
    expect(second).toMatchObject({
      status: "failed",
      attempts: 3,
      error: { code: "output_invalid" },
      output: { text: "None at all \u0000" },
    });
    expect(done.usage.attempts.billed).toBe(5);
    expect(done.usage.tokens.input).toBe(simulator.calls().tokens.input);
  });

  it("translate a long row part by part, paying for none twice", async () => {
    const simulator = await simulatedModel();
    const paragraph = (name: string): string => `${name}. ${"The quick brown fox rests. ".repeat(400)}End.`;
    const text = `${paragraph("One")}\n\n[[sim:fault=server_error;times=1]] ${paragraph("Two")}`;
    const done = await runRows(
      { model: "qwen-mt-flash", translation: { target: "German" }, output: { format: "jsonl" } },
      [{ prompt: text }],
      await place(simulator),
    );
    expect(onlyResult(done)).toMatchObject({ status: "succeeded", attempts: 3 });
    expect(done.results[0]!["answer"]).toBe(
      `[simulated German] ${paragraph("One")}\n\n[simulated German] ${paragraph("Two")}`,
    );
    expect(simulator.calls()).toMatchObject({ answered: 2, total: 3 });
    expect(done.usage.tokens.input).toBe(simulator.calls().tokens.input);
  });

  it("see pictures of the machine on which the run was started", async () => {
    const simulator = await simulatedModel();
    const options = await place(simulator);
    const done = await runRows({ model: "qwen3-vl-plus" }, [{ prompt: "What is it?", images: "dot.png" }], {
      ...options,
      files: { "dot.png": png },
    });
    expect(onlyResult(done)).toMatchObject({
      status: "succeeded",
      output: { text: expect.stringContaining("Looked at 1 image(s)") as string },
    });
  });

  it("bring calls of tools and thinking home", async () => {
    const simulator = await simulatedModel();
    const tool = {
      type: "function",
      function: { name: "ask", parameters: { type: "object", properties: {} } },
    };
    const done = await runRows(
      {
        model: "qwen-plus",
        parameters: { tools: [tool], enableThinking: true },
        output: { reasoning: true },
      },
      [{ prompt: "Ask [[sim:reasoning=I should ask.]]" }],
      await place(simulator),
    );
    expect(done.results[0]).toMatchObject({ reasoning: "I should ask.", status: "succeeded" });
    expect(String(done.results[0]!["tool_calls"])).toContain('"name":"ask"');
  });
});
