import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resume, run } from "../../src/run/run.js";
import type { Simulator } from "../../src/simulator/index.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";

/** USD per token; with no discount for cached input, so what is computed here is never too little. */
const INPUT = 2e-6;
const OUTPUT = 8e-6;
const config = `prices:
  - { model: m, provider: simulator, currency: USD, input: 2, output: 8, cachedInput: 2 }
  - { model: yuan, provider: simulator, currency: CNY, input: 2, output: 8 }
`;

/** All that the simulator billed, answers that never arrived included. */
function billed(simulator: Simulator): number {
  const { tokens, spoiledTokens } = simulator.calls();
  return (tokens.input + spoiledTokens.input) * INPUT + (tokens.output + spoiledTokens.output) * OUTPUT;
}

const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };

interface Case {
  readonly rows: readonly string[];
  readonly budget: number;
  readonly attempts: number;
  readonly maxTokens: number;
  readonly concurrency: number;
  readonly seed: number;
  readonly spoiled: number;
  readonly refused: number;
  /** Answers are held to a schema, and a third of them misses it. */
  readonly structured: boolean;
  readonly interruptAfter: number | null;
}

const percent = (most: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: most }).map((share) => share / 100);

const cases = fc.record<Case>({
  rows: fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), {
    minLength: 8,
    maxLength: 40,
  }),
  budget: fc.integer({ min: 3, max: 16 }).map((tenths) => tenths / 1_000),
  attempts: fc.integer({ min: 1, max: 3 }),
  maxTokens: fc.integer({ min: 20, max: 120 }),
  concurrency: fc.integer({ min: 1, max: 16 }),
  seed: fc.nat(),
  spoiled: percent(12),
  refused: percent(12),
  structured: fc.boolean(),
  interruptAfter: fc.option(fc.integer({ min: 1, max: 10 })),
});

async function neverExceeds(one: Case, queue: string | undefined): Promise<void> {
  const model = await simulatedModel({
    seed: one.seed,
    latency: { kind: "log-normal", medianMs: 3, sigma: 1 },
    errors: {
      reset_after_answer: one.spoiled,
      truncated_body: one.spoiled,
      server_error: one.refused,
      ...(one.structured ? { invalid_json_output: 0.3 } : {}),
    },
  });
  const cwd = await tempFolder();
  await writeFile(join(cwd, "promptmill.config.yaml"), config);
  const input = join(cwd, "rows.jsonl");
  await writeFile(input, one.rows.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  const env = { PROMPTMILL_SIMULATOR_URL: model.url };
  const stop = new AbortController();
  const first = await run({
    job: {
      name: "j",
      model: "m",
      provider: "simulator",
      input: { path: input },
      prompt: { user: "Say it: {{ text }}" },
      ...(one.structured ? { output: { schema } } : {}),
      parameters: { maxTokens: one.maxTokens },
      attempts: one.attempts,
      concurrency: one.concurrency,
      limits: { budget: one.budget },
    },
    cwd,
    queue,
    env,
    signal: stop.signal,
    onProgress: ({ rows }) => {
      if (one.interruptAfter !== null && rows.succeeded + rows.failed >= one.interruptAfter) stop.abort();
    },
  });
  expect(billed(model)).toBeLessThanOrEqual(one.budget);
  if (first.state === "finished") return;
  if (first.halt !== null) expect(first.halt.code).toBe("budget_spent");

  const more = one.budget * 1.5;
  const second = await resume({ run: first.runId, cwd, queue, env, budget: more });
  expect(billed(model)).toBeLessThanOrEqual(more);
  expect(second.state === "finished" || second.halt?.code === "budget_spent").toBe(true);
}

describe("a run with a budget", () => {
  it("never costs more, whatever is answered, spoiled, refused, retried, interrupted and resumed", async () => {
    await fc.assert(
      fc.asyncProperty(cases, (one) => neverExceeds(one, redisUrl())),
      { numRuns: 12, interruptAfterTimeLimit: 90_000 },
    );
  }, 240_000);

  it("never costs more on the embedded queue either", async () => {
    await fc.assert(
      fc.asyncProperty(cases, (one) => neverExceeds(one, undefined)),
      { numRuns: 2, interruptAfterTimeLimit: 60_000 },
    );
  }, 180_000);

  it("halts before the first call that it could not pay for, and goes on with more", async () => {
    const { model, options, warnings } = await twentyRows();
    const first = await run({ ...options, budget: 0.0015 });
    expect(first).toMatchObject({ state: "halted", halt: { code: "budget_spent", exitCode: 4 } });
    expect(first.halt?.hint).toContain(`promptmill resume ${first.runId} --budget`);
    expect(first.rows.succeeded).toBeGreaterThan(2);
    expect(billed(model)).toBeLessThanOrEqual(0.0015);

    const second = await resume({ ...options, run: first.runId, budget: 1 });
    expect(second).toMatchObject({ state: "finished", rows: { succeeded: 20 } });
    expect(warnings.filter((text) => text.includes("of the budget"))).toHaveLength(0);
  });

  it("says once that most of it is spent", async () => {
    const { options, warnings } = await twentyRows({}, 4);
    const { usage } = await run(options);
    const budget = (usage.cost.amount ?? 0) * 1.24;
    const { runId } = await run({ ...options, budget });
    await resume({ ...options, run: runId, budget: budget * 100 });
    expect(warnings.filter((text) => text.includes("of the budget"))).toHaveLength(1);
  });

  it.each<[string, { model?: string; overrides?: "model"[]; parameters?: object; other?: string }, string]>([
    ["a model without a price", { model: "unheard-of" }, "budget_unpriced"],
    ["a row whose model has none", { overrides: ["model"] }, "budget_unpriced"],
    ["models of two currencies", { overrides: ["model"], other: "yuan" }, "budget_currency"],
    ["answers of any length from an unknown model", { parameters: {} }, "budget_unbounded"],
  ])("refuses %s before any call", async (_what, { other = "unheard-of", ...change }, code) => {
    const { model, options } = await twentyRows({ model: other });
    await expect(run({ ...options, job: { ...options.job, ...change }, budget: 1 })).rejects.toMatchObject({
      code,
      exitCode: 2,
    });
    expect(model.calls().total).toBe(0);
  });
});

async function twentyRows(columns: Record<string, string> = {}, times = 1) {
  const model = await simulatedModel();
  const cwd = await tempFolder();
  await writeFile(join(cwd, "promptmill.config.yaml"), config);
  const rows = Array.from({ length: 20 * times }, (_, index) => ({
    text: `row number ${index}`,
    ...columns,
  }));
  await writeFile(join(cwd, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const warnings: string[] = [];
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (_fields: object, text: string) => void warnings.push(text),
  };
  const options = {
    job: {
      name: "j",
      model: "m",
      provider: "simulator",
      input: { path: join(cwd, "rows.jsonl") },
      prompt: { user: "Say it: {{ text }}" },
      parameters: { maxTokens: 40 },
      attempts: 1,
    },
    cwd,
    queue: redisUrl(),
    env: { PROMPTMILL_SIMULATOR_URL: model.url },
    log,
  };
  return { model, options, warnings };
}
