import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collectRuns } from "../../src/run/collect-runs.js";
import { aggregate } from "../../src/usage/index.js";
import type { JobDefinition } from "../../src/job/index.js";
import { resume, run, type RunOptions } from "../../src/run/run.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";

const ROWS = 12;

async function nightly(simulator: Parameters<typeof simulatedModel>[0] = {}) {
  const model = await simulatedModel(simulator);
  const cwd = await tempFolder();
  const input = join(cwd, "rows.jsonl");
  await writeFile(
    join(cwd, "promptmill.config.yaml"),
    `providers: { mine: { protocol: openai, baseUrl: "${model.openaiBaseUrl}" } }\n` +
      `prices: [{ model: qwen-plus, currency: USD, input: 1, output: 2 }]\n`,
  );
  const job = {
    name: "nightly",
    model: "qwen-plus",
    provider: "mine",
    preset: "translation",
    input: { path: input },
    prompt: { user: "Translate: {{ text }}" },
    attempts: 1,
    reuse: true,
  } satisfies JobDefinition;
  const runNight = async (
    texts: readonly string[],
    change: Partial<JobDefinition> = {},
    more: Partial<RunOptions> = {},
  ) => {
    await writeFile(input, texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
    const before = model.calls().total;
    const summary = await run({ job: { ...job, ...change }, cwd, queue: redisUrl(), env: {}, ...more });
    return { ...summary, calls: model.calls().total - before };
  };
  return { model, cwd, runNight };
}

const texts = Array.from({ length: ROWS }, (_, index) => `text ${index}`);

describe("reusing answers", () => {
  it("calls only what changed, at no cost for the rest", async () => {
    const { cwd, runNight } = await nightly();
    const first = await runNight(texts);
    expect(first).toMatchObject({ calls: ROWS, rows: { succeeded: ROWS }, usage: { reused: { rows: 0 } } });

    const second = await runNight(["a new text", ...texts.slice(0, -1)]);
    expect(second).toMatchObject({
      calls: 1,
      rows: { succeeded: ROWS },
      usage: { reused: { rows: ROWS - 1 } },
    });
    expect(second.usage.attempts.billed).toBe(1);
    expect(second.usage.reused.saved[0]?.amount).toBeGreaterThan(0);
    const answers = await readFile(second.files?.results ?? "", "utf8");
    expect(answers).toContain("[simulated translation] a new text");
    expect(answers).toContain("[simulated translation] text 10");

    // What was reused can be reused again, and is told to come from the run that paid.
    await rm(first.directory, { recursive: true });
    const third = await runNight(["a new text", ...texts.slice(0, -1)]);
    expect(third).toMatchObject({ calls: 0, usage: { cost: { amount: 0 }, reused: { rows: ROWS } } });
    const journal = await readFile(join(third.directory, "journal.jsonl"), "utf8");
    expect(journal).toContain(`"reused":{"runId":"${first.runId}"`);
    const report = aggregate(await collectRuns([join(cwd, "runs")]));
    expect(report.total).toMatchObject({ rows: { total: 2 * ROWS }, reused: { rows: 2 * ROWS - 1 } });
  });

  it.each<[string, Partial<JobDefinition>]>([
    ["prompt", { prompt: { user: "Translate well: {{ text }}" } }],
    ["preset", { preset: "creative_writing" }],
    ["model", { model: "qwen-flash" }],
    ["parameters", { parameters: { maxTokens: 77 } }],
  ])("reuses nothing when the %s changed", async (_what, change) => {
    const { runNight } = await nightly();
    await runNight(texts);
    expect(await runNight(texts, change)).toMatchObject({ calls: ROWS, usage: { reused: { rows: 0 } } });
  });

  it("never takes a simulated answer for a real one", async () => {
    const { runNight } = await nightly();
    const simulated = await runNight(texts, {}, { simulate: { latency: { kind: "fixed", ms: 0 } } });
    expect(simulated).toMatchObject({ simulated: true, calls: 0 });
    expect(await runNight(texts)).toMatchObject({ simulated: false, calls: ROWS });
  });

  it("does not reuse failed rows", async () => {
    const { runNight } = await nightly({ errors: { invalid_parameter: 0.5 }, seed: 4 });
    const first = await runNight(texts);
    expect(first.rows.failed).toBeGreaterThan(0);
    const second = await runNight(texts);
    expect(second).toMatchObject({
      calls: first.rows.failed,
      usage: { reused: { rows: first.rows.succeeded } },
    });
  });

  it("makes its index anew when it is absent, damaged or of an earlier state of the run", async () => {
    const { cwd, runNight } = await nightly();
    const stop = new AbortController();
    const first = await runNight(
      texts,
      { concurrency: 1 },
      {
        signal: stop.signal,
        onProgress: ({ rows }) => rows.succeeded > 2 && stop.abort(),
      },
    );
    const other = { name: "other", reuse: "nightly" };
    const before = await runNight(texts, other);
    await resume({ run: first.runId, cwd, queue: redisUrl(), env: {} });
    const after = await runNight(texts, { ...other, name: "third" });
    expect(after.usage.reused.rows).toBe(ROWS);
    expect(before.usage.reused.rows).toBeLessThanOrEqual(ROWS);

    const folder = join(cwd, "runs", ".reuse");
    for (const name of await readdir(folder)) await writeFile(join(folder, name), "damaged");
    expect(await runNight(texts, { ...other, name: "fourth" })).toMatchObject({ calls: 0 });
    await rm(folder, { recursive: true });
    expect(await runNight(texts, { ...other, name: "fifth" })).toMatchObject({ calls: 0 });
  });

  it("refuses a run or job that is not there, before any call", async () => {
    const { runNight, model } = await nightly();
    await expect(runNight(texts, { reuse: "nothing-of-that-name" })).rejects.toMatchObject({
      code: "reuse_not_found",
      exitCode: 2,
    });
    expect(model.calls().total).toBe(0);
  });

  it("calls every row without the wish to reuse", async () => {
    const { runNight } = await nightly();
    await runNight(texts);
    expect(await runNight(texts, {}, { reuse: false })).toMatchObject({ calls: ROWS });
    expect(await runNight(texts, { name: "other", reuse: false }, { reuse: "nightly" })).toMatchObject({
      calls: 0,
    });
  });
});
