import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { JobDefinition } from "../../src/job/index.js";
import type { RunSummary } from "../../src/run/carry-out.js";
import type { Progress } from "../../src/run/progress.js";
import { run } from "../../src/run/run.js";
import { startSimulator, type Simulator } from "../../src/simulator/index.js";
import { afterTest } from "../support/after-test.js";
import { freePort } from "../support/redis-server.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";
import { runRows, type Row } from "./running.js";

const JOB = { model: "qwen-plus", prompt: { user: "{{ text }}" }, concurrency: 20 };

function rowsOf(count: number): Row[] {
  return Array.from({ length: count }, (_, row) => ({ text: `Text number ${row}` }));
}

function refused(simulator: Simulator): number {
  return Object.values(simulator.calls().rejected).reduce((sum, count) => sum + count, 0);
}

describe("a run against a model server with limits", () => {
  it("is hardly refused when the job gives the limits, growth punished or not", async () => {
    const limits = { requestsPerMinute: 900, tokensPerMinute: 60_000 };
    const simulator = await simulatedModel({ limits: { ...limits, burst: true } });
    const summary = await runRows({ ...JOB, limits }, rowsOf(60), { simulator });
    expect(summary.rows).toEqual({ total: 60, succeeded: 60, failed: 0 });
    expect(refused(simulator)).toBeLessThanOrEqual(1);
  });

  it("shares the limit with another run of the same account and model", async () => {
    const limits = { requestsPerMinute: 900 };
    const simulator = await simulatedModel({ limits });
    const runs = await Promise.all([1, 2].map(() => runRows({ ...JOB, limits }, rowsOf(40), { simulator })));
    for (const { rows } of runs) expect(rows).toMatchObject({ succeeded: 40 });
    expect(refused(simulator)).toBeLessThanOrEqual(1);
  });

  it("finds limits that nobody told it, and uses up no attempts on the way", async () => {
    const simulator = await simulatedModel({ limits: { requestsPerMinute: 1_200 } });
    const summary = await runRows({ ...JOB, attempts: 1 }, rowsOf(120), { simulator });
    expect(summary.rows).toMatchObject({ succeeded: 120, failed: 0 });
    expect(summary.journal.every(({ attempts }) => attempts === 1)).toBe(true);
    // Those of the first burst, and of a few tries after it.
    expect(refused(simulator)).toBeLessThanOrEqual(40);
  });

  it("halts when all is throttled for longer than the job allows, and keeps its rows", async () => {
    const simulator = await simulatedModel({ errors: { rate_limit: 1 } });
    const summary = await runRows({ ...JOB, limits: { maxThrottled: "4s" } }, rowsOf(5), { simulator });
    expect(summary.state).toBe("halted");
    expect(summary.halt).toMatchObject({ code: "throttled_too_long", exitCode: 4 });
    expect(summary.rows).toMatchObject({ succeeded: 0, failed: 0 });
  });
});

/** The same run, with its progress seen. */
async function watched(
  url: string,
  definition: Omit<JobDefinition, "name">,
  rows: number,
  onProgress: (progress: Progress) => void,
): Promise<RunSummary> {
  const cwd = await tempFolder();
  const path = join(cwd, "rows.jsonl");
  await writeFile(
    path,
    rowsOf(rows)
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(""),
  );
  return await run({
    job: { name: "away", provider: "simulator", ...definition, input: { path } },
    cwd,
    queue: redisUrl(),
    env: { PROMPTMILL_SIMULATOR_URL: url },
    onProgress,
  });
}

describe("a run whose model server goes away", () => {
  it("waits for it without using up attempts, and goes on when it is back", async () => {
    const port = await freePort();
    const first = await startSimulator({ port, latency: { kind: "fixed", ms: 20 } });
    let second: Promise<Simulator> | undefined;
    afterTest(async () => (await second)?.close());
    const holders = new Set<string>();
    const summary = await watched(first.url, { ...JOB, attempts: 2 }, 400, ({ rows, heldBackBy }) => {
      if (rows.succeeded > 40) void first.close();
      if (heldBackBy !== null) holders.add(heldBackBy);
      if (heldBackBy?.includes("down") === true) second ??= startSimulator({ port });
    });
    expect(summary.rows).toEqual({ total: 400, succeeded: 400, failed: 0 });
    expect([...holders].some((holder) => holder.includes("a model server that is down"))).toBe(true);
  });

  it("halts when it never was there, and the rows keep their attempts", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const definition = { ...JOB, limits: { maxThrottled: "3s" } };
    const summary = await watched(url, definition, 30, () => {});
    expect(summary.halt).toMatchObject({ code: "endpoint_down", exitCode: 4 });
    expect(summary.halt?.message).toContain("has not answered a single call");
    expect(summary.rows).toEqual({ total: 30, succeeded: 0, failed: 0 });
  });
});
