import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli, spawnCli } from "../support/cli.js";
import { csvOf, jobText, readRun, writeJob } from "../support/job-files.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";

// What is said does not depend on the queue; Redis needs no database made first.
const redis = (): { PROMPTMILL_QUEUE: string } => ({ PROMPTMILL_QUEUE: redisUrl() });

describe("What a run says", () => {
  it("--json prints one JSON document on stdout and nothing else", async () => {
    const folder = await tempFolder();
    await writeJob(folder, csvOf(2));
    const args = ["run", "job.yaml", "--simulate", "latency=0", "--json", "--run-id", "machine"];
    const end = await cli(args, { cwd: folder, env: redis() });
    expect(end.code, end.stderr).toBe(0);
    const summary = JSON.parse(end.stdout) as Record<string, unknown>;
    const directory = join(folder, "runs", "machine");
    expect(summary).toMatchObject({
      runId: "machine",
      directory,
      state: "finished",
      rows: { total: 2, succeeded: 2, failed: 0 },
      truncated: 0,
      simulated: true,
      halt: null,
      files: { results: join(directory, "results.csv"), errors: null, usage: join(directory, "usage.json") },
      warnings: [],
    });
    expect(summary["usage"]).toEqual(JSON.parse(await readFile(join(directory, "usage.json"), "utf8")));
  });

  it("--quiet says nothing when all is well", async () => {
    const folder = await tempFolder();
    await writeJob(folder, csvOf(2));
    const end = await cli(["run", "job.yaml", "--simulate", "latency=0", "--quiet"], {
      cwd: folder,
      env: redis(),
    });
    expect(end).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  it("names the simulated model before and beside its answers", async () => {
    const folder = await tempFolder();
    await writeJob(folder, csvOf(2));
    const end = await cli(["run", "job.yaml", "--simulate", "latency=0"], { cwd: folder, env: redis() });
    expect(end.code, end.stderr).toBe(0);
    expect(end.stdout).toMatch(/SIMULATED MODEL/);
    expect(end.stdout).toMatch(/First answers \(simulated model\)/);
  });

  it("counts answers that were cut off at their token limit, and lets retry call them alone", async () => {
    const folder = await tempFolder();
    const simulator = await simulatedModel();
    await writeJob(
      folder,
      csvOf(3, (row) => (row === 1 ? "[[sim:finish=length]] a b c d" : "short")),
    );
    const env = { PROMPTMILL_SIMULATOR_URL: simulator.url, ...redis() };
    const end = await cli(["run", "job.yaml", "--run-id", "cut"], { cwd: folder, env });
    expect(end.code, end.stderr).toBe(0);
    expect(end.stdout).toMatch(/warning\s+1 answers? .*cut off/);
    const again = await cli(
      ["retry", "cut", "--finish-reason", "length", "--set", "parameters.maxTokens=900"],
      { cwd: folder, env },
    );
    expect(again.code, again.stderr).toBe(0);
    expect(simulator.calls().total).toBe(4);
    expect(readRun(join(folder, "runs", "cut")).usage.attempts.billed).toBe(4);
  });

  it("reads rows from standard input, and again from its copy for a resume and an export", async () => {
    const folder = await tempFolder();
    await writeJob(folder, "unused\n");
    const input = csvOf(3);
    const args = ["run", "job.yaml", "--simulate", "latency=0", "--input", "-", "--run-id", "piped"];
    const end = await cli(args, { cwd: folder, env: redis(), input });
    expect(end.code, end.stderr).toBe(0);
    expect(readRun(join(folder, "runs", "piped")).results.map(({ id }) => id)).toEqual(["r0", "r1", "r2"]);
    expect((await cli(["resume", "piped"], { cwd: folder, env: redis() })).code).toBe(0);
    const exported = await cli(["export", "piped", "--to", "again", "--format", "jsonl"], {
      cwd: folder,
      env: redis(),
    });
    expect(exported.code, exported.stderr).toBe(0);
    const lines = (await readFile(join(folder, "again", "results.jsonl"), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(["r0", "r1", "r2"]);
    expect((await readdir(join(folder, "runs"))).sort()).toEqual(["piped"]);
  });

  it("leaves no copy of standard input behind when it is refused", async () => {
    const folder = await tempFolder();
    await writeJob(folder, "unused\n");
    const end = await cli(["run", "job.yaml", "--simulate", "--input", "-"], {
      cwd: folder,
      input: "id,text\na\n",
    });
    expect(end.code).toBe(2);
    expect(await readdir(join(folder, "runs"))).toEqual([]);
  });

  it.each(["job.yaml --simulate latency=0", "job.yaml --simulate latency=0 --json"])(
    "copes with a reader that goes away: run %s | true",
    async (words) => {
      const folder = await tempFolder();
      await writeJob(folder, csvOf(3));
      const running = spawnCli(["run", ...words.split(" "), "--run-id", "unread"], {
        cwd: folder,
        env: redis(),
      });
      running.process.stdout?.destroy();
      const end = await running.ended;
      expect(end.code, end.stderr).toBe(0);
      expect(end.stderr).not.toMatch(/EPIPE|^\s+at /m);
      expect(readRun(join(folder, "runs", "unread")).usage.rows.succeeded).toBe(3);
    },
  );

  it("marks rows that cannot be read as failed with --lenient, and calls the others", async () => {
    const folder = await tempFolder();
    const simulator = await simulatedModel();
    await writeJob(folder, "id,text\na,x\nb\nc,z\n");
    const env = { PROMPTMILL_SIMULATOR_URL: simulator.url, ...redis() };
    const end = await cli(["run", "job.yaml", "--lenient", "--run-id", "kind"], { cwd: folder, env });
    expect(end.code, end.stderr).toBe(3);
    expect(simulator.calls().total).toBe(2);
    const { results, journal } = readRun(join(folder, "runs", "kind"));
    expect(results.map(({ status }) => status)).toEqual(["succeeded", "failed", "succeeded"]);
    expect(journal.find(({ rowIndex }) => rowIndex === 1)).toMatchObject({
      attempts: 0,
      error: { kind: "input" },
    });
  });

  it("does only the first rows with --limit, and all columns and odd cells come out as they went in", async () => {
    const folder = await tempFolder();
    const cells = [
      '"quoted, and\nbroken"',
      "=1+1",
      "  spaces  ",
      "汉字",
      "-5",
      '"he said ""no"""',
      "{{ id }}",
    ];
    await writeFile(join(folder, "job.yaml"), jobText("output: { column: answer }"));
    const input = `id,text,extra\n${cells.map((cell, row) => `r${row},${cell},${cell}`).join("\n")}\nlast,x,y\n`;
    await writeFile(join(folder, "input.csv"), input);
    const args = ["run", "job.yaml", "--simulate", "latency=0", "--limit", "7", "--run-id", "first"];
    const end = await cli(args, { cwd: folder, env: redis() });
    expect(end.code, end.stderr).toBe(0);
    const { results } = readRun(join(folder, "runs", "first"));
    expect(results).toHaveLength(7);
    expect(Object.keys(results[0] ?? {})).toEqual(["id", "text", "extra", "answer", "status", "error"]);
    expect(results.map(({ extra }) => extra)).toEqual([
      "quoted, and\nbroken",
      "=1+1",
      "  spaces  ",
      "汉字",
      "-5",
      'he said "no"',
      "{{ id }}",
    ]);
  });

  it("refuses a second coordinator of a run, and a changed input at a resume", async () => {
    const folder = await tempFolder();
    const simulator = await simulatedModel({ latency: { kind: "fixed", ms: 60_000 } });
    await writeJob(folder, csvOf(2));
    const env = { PROMPTMILL_SIMULATOR_URL: simulator.url, ...redis() };
    const running = spawnCli(["run", "job.yaml", "--run-id", "one"], { cwd: folder, env });
    await until("calls are under way", () => simulator.calls().inFlight === 2);
    const second = await cli(["resume", "one"], { cwd: folder, env });
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(`process ${running.process.pid}`);
    running.process.kill("SIGKILL");
    await running.ended;
    await writeFile(join(folder, "input.csv"), csvOf(3));
    const changed = await cli(["resume", "one"], { cwd: folder, env });
    expect(changed.code).toBe(2);
    expect(changed.stderr).toMatch(/has changed since the run began/);
    expect(simulator.calls().total).toBe(2);
  });
});
