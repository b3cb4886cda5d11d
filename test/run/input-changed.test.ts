import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exportRun } from "../../src/run/export.js";
import { resume, run } from "../../src/run/run.js";
import { csvOf } from "../support/job-files.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";

const rows = 60;
const job = {
  name: "ask",
  model: "qwen-plus",
  provider: "simulator",
  prompt: { user: "{{ text }}" },
  concurrency: 4,
};

describe("An input that is replaced while a run goes on", () => {
  it("halts the run before its results are there, and the old file lets it go on", async () => {
    const cwd = await tempFolder();
    const simulator = await simulatedModel({ latency: { kind: "fixed", ms: 40 } });
    const input = join(cwd, "rows.csv");
    await writeFile(input, csvOf(rows));
    const session = { cwd, queue: redisUrl(), env: { PROMPTMILL_SIMULATOR_URL: simulator.url } };
    const stop = new AbortController();
    const first = run({
      ...session,
      job: { ...job, input: { path: input } },
      runId: "r",
      signal: stop.signal,
    });
    await until("a few rows are answered", () => simulator.calls().answered >= 8);
    stop.abort();
    const { state, directory } = await first;
    expect(state).toBe("interrupted");

    const answered = simulator.calls().answered;
    const second = resume({ ...session, run: "r" });
    await Promise.race([
      second,
      until("more rows are answered", () => simulator.calls().answered > answered + 4),
    ]);
    await writeFile(
      input,
      csvOf(rows, (row) => `text of ROW ${row}`),
    );
    expect(await second).toMatchObject({
      state: "halted",
      halt: { code: "input_changed", exitCode: 4 },
      files: null,
    });
    expect(existsSync(join(directory, "results.csv"))).toBe(false);
    await expect(resume({ ...session, run: "r" })).rejects.toMatchObject({
      code: "input_changed",
      exitCode: 2,
    });

    await writeFile(input, csvOf(rows));
    expect(await resume({ ...session, run: "r" })).toMatchObject({
      state: "finished",
      rows: { succeeded: rows },
    });
    const results = await readFile(join(directory, "results.csv"), "utf8");

    await writeFile(
      input,
      csvOf(rows, (row) => `text of ROW ${row}`),
    );
    await expect(exportRun({ run: "r", runsRoot: join(cwd, "runs") })).rejects.toMatchObject({
      code: "input_changed",
    });
    expect(await readFile(join(directory, "results.csv"), "utf8")).toBe(results);
  });
});
