import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { estimate, type EstimateOptions } from "../../src/run/estimate.js";
import { meanOf, Sample } from "../../src/run/estimate-sample.js";
import { run } from "../../src/run/run.js";
import type { SimulatorOptions } from "../../src/simulator/index.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";

const ROWS = 50;

async function fiftyRows(simulator: SimulatorOptions = {}) {
  const model = await simulatedModel(simulator);
  const cwd = await tempFolder();
  await writeFile(
    join(cwd, "promptmill.config.yaml"),
    "prices: [{ model: qwen-plus, provider: simulator, currency: USD, input: 1, output: 2 }]\n",
  );
  const rows = Array.from({ length: ROWS }, (_, index) => ({
    text: `row ${index} ${"word ".repeat(index)}`,
  }));
  await writeFile(join(cwd, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const options = {
    job: {
      name: "j",
      model: "qwen-plus",
      provider: "simulator",
      input: { path: join(cwd, "rows.jsonl") },
      prompt: { user: "Say: {{ text }}" },
      parameters: { maxTokens: 100 },
    },
    cwd,
    env: { PROMPTMILL_SIMULATOR_URL: model.url },
  } satisfies EstimateOptions;
  return { model, options };
}

describe("an estimate", () => {
  it("calls nothing, and bounds what a run then costs", async () => {
    const { model, options } = await fiftyRows();
    const estimated = await estimate(options);
    expect(model.calls().total).toBe(0);
    expect(estimated).toMatchObject({
      rows: ROWS,
      sampled: ROWS,
      outputTokens: { basis: "maxTokens", low: 0, high: 100 * ROWS },
      calls: null,
      time: null,
    });

    const { usage } = await run({ ...options, queue: redisUrl() });
    const [cost] = estimated.cost.realTime;
    expect(cost?.high).toBeGreaterThanOrEqual(usage.cost.amount ?? Infinity);
    expect(estimated.inputTokens.low).toBeLessThanOrEqual(usage.tokens.input);
    expect(estimated.inputTokens.high).toBeGreaterThanOrEqual(usage.tokens.input);
    expect(estimated.cost.batch?.[0]?.high).toBeCloseTo((cost?.high ?? 0) / 2, 9);
  });

  it("learns from as many calls as it is told to make, and says what they cost", async () => {
    const { model, options } = await fiftyRows();
    const estimated = await estimate({ ...options, calls: 7 });
    const calls = model.calls();
    expect(calls.answered).toBe(7);
    expect(estimated).toMatchObject({
      outputTokens: { basis: "calls" },
      calls: { made: 7, answered: 7, simulated: false },
      time: { limitedBy: expect.stringContaining("concurrency") as string },
    });
    const billed = calls.tokens.input * 1e-6 + calls.tokens.output * 2e-6;
    expect(estimated.calls?.cost[0]?.amount).toBeCloseTo(billed, 9);
    const { usage } = await run({ ...options, queue: redisUrl() });
    expect(estimated.outputTokens?.low).toBeLessThanOrEqual(usage.tokens.output);
    expect(estimated.outputTokens?.high).toBeGreaterThanOrEqual(usage.tokens.output);
  });

  it("gives the time at the limit that holds a run back most", async () => {
    const { options } = await fiftyRows();
    const limits = { requestsPerMinute: 60, tokensPerMinute: 1_000_000 };
    const { time } = await estimate({ ...options, job: { ...options.job, limits } });
    expect(time).toEqual({ seconds: ROWS, limitedBy: "limits.requestsPerMinute" });
  });

  it("says that output is not known where nothing limits it", async () => {
    const { options } = await fiftyRows();
    const { parameters: _limit, ...job } = options.job;
    const { outputTokens, cost } = await estimate({ ...options, job });
    expect(outputTokens).toBeNull();
    expect(cost.includesOutput).toBe(false);
  });

  it("lists models without a price instead of counting them as free", async () => {
    const { options } = await fiftyRows();
    const { cost } = await estimate({ ...options, job: { ...options.job, model: "unheard-of" } });
    expect(cost).toMatchObject({ realTime: [], batch: null, unpricedModels: ["unheard-of"] });
  });

  it("leaves out rows that earlier runs answered", async () => {
    const { options } = await fiftyRows();
    await run({ ...options, limit: 20, queue: redisUrl() });
    const { reused, sampled } = await estimate({ ...options, job: { ...options.job, reuse: true } });
    expect({ reused, sampled }).toEqual({ reused: 20, sampled: ROWS - 20 });
  });

  it("halts at what every row would meet", async () => {
    const { options } = await fiftyRows({ errors: { invalid_api_key: 1 } });
    await expect(estimate({ ...options, calls: 2 })).rejects.toMatchObject({ exitCode: 4 });
  });

  it("refuses what a run would refuse", async () => {
    const { options } = await fiftyRows();
    const job = { ...options.job, prompt: { user: "{{ missing }}" } };
    await expect(estimate({ ...options, job })).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe("a sample", () => {
  it("is all there is when that fits, else as large as asked for, and even", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 200 }), (size, items) => {
        const sample = new Sample<number>(size);
        for (let item = 0; item < items; item++) sample.offer(() => item);
        expect(sample.items.length).toBe(Math.min(size, items));
        expect(new Set(sample.items).size).toBe(sample.items.length);
      }),
    );
    const sample = new Sample<number>(1_000);
    for (let item = 0; item < 100_000; item++) sample.offer(() => item);
    const mean = sample.items.reduce((sum, item) => sum + item, 0) / 1_000;
    expect(Math.abs(mean - 50_000)).toBeLessThan(4_000);
  });

  it("gives a range around the mean that the true mean lies in", () => {
    const values = Array.from({ length: 10_000 }, (_, index) => (index * 7919) % 1_000);
    const truth = values.reduce((sum, value) => sum + value, 0) / values.length;
    const sample = new Sample<number>(200);
    for (const value of values) sample.offer(() => value);
    const { low, high } = meanOf(sample.items, values.length);
    expect(low).toBeLessThan(truth);
    expect(high).toBeGreaterThan(truth);
    expect(meanOf(values, values.length)).toEqual({ low: truth, likely: truth, high: truth });
  });
});
