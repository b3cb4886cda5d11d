import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli, interruptWhen, spawnCli } from "../support/cli.js";
import { csvOf, readRun, writeJob } from "../support/job-files.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder, tempFolderWithQueue } from "../support/temp-folder.js";

const queues = [
  { queue: "the embedded queue", flags: (): string[] => [] },
  { queue: "Redis", flags: (): string[] => ["--queue", redisUrl()] },
];

describe.each(queues)("On $queue", ({ flags }) => {
  it("a run whose rows all succeed exits with 0", async () => {
    const folder = await tempFolderWithQueue();
    const simulator = await simulatedModel();
    await writeJob(folder, csvOf(3));
    const env = { PROMPTMILL_SIMULATOR_URL: simulator.url };
    const end = await cli(["run", "job.yaml", "--run-id", "fine", ...flags()], { cwd: folder, env });
    expect(end.code, end.stderr).toBe(0);
    expect(end.stdout).toContain("Run fine finished");
    expect(end.stdout).toContain(join("runs", "fine", "results.csv"));
    const { results, usage } = readRun(join(folder, "runs", "fine"));
    expect(results.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
    expect(usage.attempts.billed).toBe(3);
  });

  it("a run with a failed row exits with 3, and retry calls that row alone", async () => {
    const folder = await tempFolderWithQueue();
    const simulator = await simulatedModel();
    const refused = "[[sim:fault=invalid_parameter;times=1]]";
    await writeJob(
      folder,
      csvOf(4, (row) => (row === 2 ? refused : `text ${row}`)),
    );
    const env = { PROMPTMILL_SIMULATOR_URL: simulator.url };
    const end = await cli(["run", "job.yaml", "--run-id", "mixed", ...flags()], { cwd: folder, env });
    expect(end.code, end.stderr).toBe(3);
    expect(end.stdout).toContain("promptmill retry mixed");
    const directory = join(folder, "runs", "mixed");
    expect(readRun(directory).results.map(({ status }) => status)).toEqual([
      "succeeded",
      "succeeded",
      "failed",
      "succeeded",
    ]);
    expect(await readFile(join(directory, "errors.jsonl"), "utf8")).toMatch(/"id":"r2"/);

    const again = await cli(["retry", "mixed", ...flags()], { cwd: folder, env });
    expect(again.code, again.stderr).toBe(0);
    expect(simulator.calls().total).toBe(5);
    expect(readRun(directory).results[2]).toMatchObject({ id: "r2", status: "succeeded", error: "" });
    await expect(readFile(join(directory, "errors.jsonl"))).rejects.toThrow(/ENOENT/);

    const nothing = await cli(["retry", "mixed", ...flags()], { cwd: folder, env });
    expect(nothing.code).toBe(2);
    expect(simulator.calls().total).toBe(5);
  });

  it("a run whose key is refused halts with 4, and resume goes on with the right one", async () => {
    const folder = await tempFolderWithQueue();
    const simulator = await simulatedModel({ apiKey: "right" });
    await writeJob(folder, csvOf(30), "concurrency: 2");
    await writeFile(
      join(folder, "promptmill.config.yaml"),
      `providers: { acme: { protocol: openai, baseUrl: "${simulator.openaiBaseUrl}", apiKeyEnv: ACME_KEY } }`,
    );
    const run = ["run", "job.yaml", "--set", "provider=acme", "--run-id", "halted", ...flags()];
    const end = await cli(run, { cwd: folder, env: { ACME_KEY: "wrong-key-1234" } });
    expect(end.code, end.stderr).toBe(4);
    expect(end.stdout).toContain("promptmill resume halted");
    expect(end.stdout + end.stderr).not.toContain("wrong-key-1234");
    // No row is settled by a refusal that every row would meet, and few calls are wasted on it.
    expect(simulator.calls().total).toBeLessThanOrEqual(4);
    const status = await cli(["status", "halted", "--json"], { cwd: folder });
    expect(JSON.parse(status.stdout)).toMatchObject({ state: "halted", rows: { total: 30, succeeded: 0 } });

    const resumed = await cli(["resume", "halted", ...flags()], { cwd: folder, env: { ACME_KEY: "right" } });
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(readRun(join(folder, "runs", "halted")).usage.rows).toEqual({
      total: 30,
      succeeded: 30,
      failed: 0,
    });
  });

  it("Ctrl-C lets calls in flight finish and exits with 130; resume calls no answered row again", async () => {
    const folder = await tempFolderWithQueue();
    const simulator = await simulatedModel({ latency: { kind: "fixed", ms: 40 } });
    const rows = 200;
    await writeJob(folder, csvOf(rows), "concurrency: 8");
    const env = { PROMPTMILL_SIMULATOR_URL: simulator.url };
    const running = spawnCli(["run", "job.yaml", "--run-id", "stopped", ...flags()], { cwd: folder, env });
    const end = await interruptWhen(running, "20 rows are answered", () => simulator.calls().answered >= 20);
    expect(end.code, end.stderr).toBe(130);
    expect(end.stdout).toContain("promptmill resume stopped");
    const before = simulator.calls();
    expect(before.dropped).toBe(0);
    expect(before.answered).toBeLessThan(rows);

    const exported = await cli(["export", "stopped", "--to", "so-far"], { cwd: folder });
    expect(exported.code, exported.stderr).toBe(0);
    const soFar = await readFile(join(folder, "so-far", "results.csv"), "utf8");
    expect(soFar.match(/succeeded/g)).toHaveLength(before.answered);
    expect(soFar.match(/pending/g)).toHaveLength(rows - before.answered);

    const resumed = await cli(["resume", "stopped", ...flags()], { cwd: folder, env });
    expect(resumed.code, resumed.stderr).toBe(0);
    const { results, usage } = readRun(join(folder, "runs", "stopped"));
    expect(results.map(({ id, status }) => `${id} ${status}`)).toEqual(
      Array.from({ length: rows }, (_, row) => `r${row} succeeded`),
    );
    const { perRequest, answered } = simulator.calls();
    expect([...perRequest.values()].filter(({ calls }) => calls !== 1)).toEqual([]);
    expect(usage.attempts).toMatchObject({ billed: answered, possiblyBilled: 0 });

    const after = await cli(["resume", "stopped", ...flags()], { cwd: folder, env });
    expect(after.code, after.stderr).toBe(0);
    expect(simulator.calls().answered).toBe(answered);
  });
});

describe("Other ends", () => {
  it("a second Ctrl-C stops at once, and the run can be resumed", async () => {
    const folder = await tempFolderWithQueue();
    const simulator = await simulatedModel({ latency: { kind: "fixed", ms: 60_000 } });
    await writeJob(folder, csvOf(5));
    const env = { PROMPTMILL_SIMULATOR_URL: simulator.url };
    const running = spawnCli(["run", "job.yaml", "--run-id", "twice"], { cwd: folder, env });
    const note = (): boolean => running.stderr().includes("Ctrl-C again stops at once");
    const first = interruptWhen(running, "calls are under way", () => simulator.calls().inFlight === 5);
    const second = interruptWhen(running, "the first one is taken in", note);
    expect((await first).code).toBe(130);
    expect((await second).code).toBe(130);
    const status = await cli(["status", "twice", "--json"], { cwd: folder });
    expect(JSON.parse(status.stdout)).toMatchObject({ state: "stopped", rows: { total: 5, succeeded: 0 } });
  });

  it("--help and --version are data and exit with 0; no command at all is a mistake", async () => {
    const cwd = await tempFolder();
    const help = await cli(["--help"], { cwd });
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain("Exit codes:");
    const version = await cli(["--version"], { cwd });
    expect(version).toMatchObject({ code: 0, stderr: "" });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await cli([], { cwd })).code).toBe(2);
  });
});
