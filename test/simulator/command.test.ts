import { describe, expect, it } from "vitest";

import { cli, spawnCli } from "../support/cli.js";
import { csvOf, readRun, writeJob } from "../support/job-files.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";
import { asking, at, paths } from "./calling.js";

async function callWith(address: string, headers: Record<string, string> = {}) {
  const request = { method: "POST", body: JSON.stringify(asking("hello")), headers };
  const response = await fetch(`${new URL(address).origin}${paths.openai}`, request);
  return { status: response.status, body: (await response.json()) as unknown };
}

describe("promptmill simulator", () => {
  it("asks for a key, serves a run by the address that it prints, and is odd as asked for", async () => {
    const cwd = await tempFolder();
    const server = spawnCli(["simulator", "--behave", "usage:missing"], { cwd });
    let printed = "";
    server.process.stdout?.on("data", (text: string) => (printed += text));
    await until("it tells how to use it", () => printed.includes("To use it:"));
    const address = /PROMPTMILL_SIMULATOR_URL='([^']+)'/.exec(printed)?.[1] ?? "";
    expect((await callWith(address)).status).toBe(401);
    const answer = await callWith(address, { authorization: "Bearer sk-any" });
    expect(answer.status).toBe(200);
    expect(at(answer.body, "choices", 0, "message", "content")).toBe("[simulated] hello");
    expect(answer.body).not.toHaveProperty("usage");
    await writeJob(cwd, csvOf(3));
    const env = { PROMPTMILL_SIMULATOR_URL: address };
    const run = await cli(["run", "job.yaml", "--run-id", "served"], { cwd, env });
    expect(run.code, run.stderr).toBe(0);
    expect(readRun(`${cwd}/runs/served`).results).toHaveLength(3);
    server.process.kill("SIGINT");
    expect((await server.ended).code).toBe(0);
  });

  it("answers without a key by --no-key", async () => {
    const cwd = await tempFolder();
    const server = spawnCli(["simulator", "--no-key", "--strict-models"], { cwd });
    let printed = "";
    server.process.stdout?.on("data", (text: string) => (printed += text));
    await until("it tells how to use it", () => printed.includes("To use it:"));
    const address = /simulated model on (\S+)\n/.exec(printed)?.[1] ?? "";
    expect((await callWith(address)).status).toBe(200);
    server.process.kill("SIGTERM");
    expect((await server.ended).code).toBe(0);
  });

  it("lists in its help what can go wrong and what can be odd", async () => {
    const { code, stdout } = await cli(["simulator", "--help"], { cwd: await tempFolder() });
    expect(code).toBe(0);
    for (const name of [
      "--behave",
      "rate_limit,",
      "error_string_200",
      "usage:<name>",
      "grok",
      "think_unclosed",
    ]) {
      expect(stdout).toContain(name);
    }
  });
});

describe("promptmill run --simulate", () => {
  it("takes what is odd as it takes faults, and needs no key", async () => {
    const cwd = await tempFolder();
    await writeJob(cwd, csvOf(4));
    const spec = "latency=0,usage:plain,body:close=0.5,server_error=0.2";
    const end = await cli(["run", "job.yaml", "--simulate", spec, "--run-id", "odd"], { cwd });
    expect(end.code, end.stderr).toBe(0);
    expect(readRun(`${cwd}/runs/odd`).results.map(({ id }) => id)).toEqual(["r0", "r1", "r2", "r3"]);
  });
});
