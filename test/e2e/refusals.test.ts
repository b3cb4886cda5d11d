import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { cli, type CliEnd } from "../support/cli.js";
import { jobText } from "../support/job-files.js";
import { freePort } from "../support/redis-server.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";

interface Refusal {
  readonly what: string;
  readonly job?: string;
  /** null: no input file. */
  readonly input?: string | Buffer | null;
  readonly inputName?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** All of it stands in the message or its hint. */
  readonly says: readonly (string | RegExp)[];
}

const inputs: Refusal[] = [
  { what: "no such file", input: null, says: ["input.csv", /no such file|does not exist|not found/i] },
  { what: "a folder for an input", args: ["--input", "."], says: [/folder|directory/i] },
  { what: "an empty input", input: "", says: ["input.csv", /empty/i] },
  { what: "a header without rows", input: "id,text\n", says: ["input.csv", /no rows|header/i] },
  {
    what: "a row with too few cells",
    input: "id,text\na,x\nb\n",
    says: ["input.csv, line 3", "1 cell", "2 columns"],
  },
  {
    what: "a row with too many cells",
    input: "id,text\na,x,y\n",
    says: ["input.csv, line 2", "3 cells", "2 columns"],
  },
  {
    what: "a quote that never ends",
    input: 'id,text\na,x\nb,"never\nends\n',
    says: ["input.csv, line 3", /quote/i],
  },
  {
    what: "two columns of one name",
    input: "id,text,text\na,x,y\n",
    says: ["input.csv", "text", "positions 2, 3"],
  },
  { what: "a column without a name", input: "id,text,\na,x,y\n", says: ["input.csv", /name/i] },
  { what: "an id that comes twice", input: "id,text\na,x\nb,x\na,y\n", says: ['"a"', /\b2\b/, /\b4\b/] },
  { what: "an empty id", input: "id,text\na,x\n,y\n", says: ["input.csv, line 3", "id", /empty/i] },
  { what: "an id column that is not there", input: "key,text\na,x\n", says: ["input.csv", "id", "key"] },
  {
    what: "bytes that are no UTF-8",
    input: Buffer.concat([
      Buffer.from("id,text\na,x\nb,"),
      Buffer.from([0xc4, 0xe3, 0xba, 0xc3]),
      Buffer.from("\n"),
    ]),
    says: ["input.csv, line 3", /utf-8/, "input.encoding: gb18030"],
  },
  {
    what: "a broken line of JSON",
    inputName: "input.jsonl",
    input: '{"id":"a","text":"x"}\n{"id":"b",,}\n',
    says: ["input.jsonl, line 2, column 11"],
  },
  {
    what: "a line of JSON that is no object",
    inputName: "input.jsonl",
    input: '{"id":"a","text":"x"}\n[1]\n',
    says: ["input.jsonl, line 2", /object/],
  },
  {
    what: "a torn gzip file",
    inputName: "input.csv.gz",
    input: gzipSync("id,text\na,x\n").subarray(0, 20),
    says: ["input.csv.gz", /gzip|compress|unexpected end/i],
  },
  {
    what: "a column that the answers would take",
    input: "id,text,answer\na,x,y\n",
    job: "output: { column: answer }",
    says: ["answer", "output.column", "input.csv"],
  },
  {
    what: "a template variable without a column",
    input: "id,words\na,x\n",
    says: ["text", "words", /column/],
  },
];

const jobs: Refusal[] = [
  { what: "a key that does not exist", job: "temprature: 1", says: ["job.yaml:6:1", "temprature"] },
  {
    what: "a temperature out of range",
    job: "parameters: { temperature: 2 }",
    says: ["job.yaml:6:28", "parameters.temperature", "2"],
  },
  { what: "a top_p of 0", job: "parameters: { topP: 0 }", says: ["parameters.topP", "0"] },
  { what: "an unknown preset", job: "preset: poetry", says: ["poetry", "translation"] },
  { what: "YAML that cannot be read", job: "output: [", says: [/job\.yaml:\d+/] },
  {
    what: "several mistakes at once",
    job: "attempts: 0\nconcurrency: many\nouput: {}",
    says: ["attempts", "concurrency", "ouput"],
  },
  { what: "a template that cannot be read", args: ["--set", "prompt.user={{ text "], says: ["prompt.user"] },
  {
    what: "a provider that nobody knows",
    job: "region: singapore",
    args: ["--set", "provider=acme"],
    says: ["acme"],
  },
];

const usage: Refusal[] = [
  { what: "an unknown flag", args: ["--fast"], says: ["--fast"] },
  { what: "a limit of 0", args: ["--limit", "0"], says: ["--limit", "0"] },
  {
    what: "a concurrency that is no number",
    args: ["--concurrency", "many"],
    says: ["--concurrency", "many"],
  },
  { what: "--set without a value", args: ["--set", "attempts"], says: ["attempts"] },
  {
    what: "a fault that the simulator does not know",
    args: ["--simulate", "gremlins=1"],
    says: ["gremlins", "rate_limit"],
  },
  { what: "a run id that leaves its folder", args: ["--run-id", "../elsewhere"], says: ["../elsewhere"] },
  { what: "a queue of another kind", args: ["--queue", "http://localhost"], says: ["--queue", "redis://"] },
  { what: "nobody to work on the embedded queue", args: ["--no-worker"], says: ["--no-worker", "--queue"] },
  { what: "a missing key", args: ["--set", "provider=model-studio"], says: ["DASHSCOPE_API_KEY"] },
  {
    what: "a missing simulator",
    env: { PROMPTMILL_SIMULATOR_URL: "" },
    says: ["PROMPTMILL_SIMULATOR_URL", "--simulate"],
  },
];

describe.each([
  { of: "input", table: inputs },
  { of: "job", table: jobs },
  { of: "command line", table: usage },
])("What is wrong with the $of is said before anything is called:", ({ table }) => {
  it.each(table)("$what", async (refusal) => {
    const { inputName = "input.csv", input = "id,text\na,x\n" } = refusal;
    const simulator = await simulatedModel();
    const folder = await tempFolder();
    await writeFile(join(folder, "job.yaml"), `${jobText().trimEnd()}\n${refusal.job ?? ""}\n`);
    if (input !== null) await writeFile(join(folder, inputName), input);
    const args = ["run", "job.yaml", ...(refusal.args ?? [])];
    if (inputName !== "input.csv") args.push("--input", inputName);
    const end = await cli(args, {
      cwd: folder,
      env: { PROMPTMILL_SIMULATOR_URL: simulator.url, ...refusal.env },
    });
    expectRefused(end, refusal.says);
    expect(simulator.calls().total).toBe(0);
    expect(await namesIn(join(folder, "runs"))).toEqual([]);
  });
});

describe("The program refuses", () => {
  it("a job file that is not there", async () => {
    const end = await cli(["run", "nowhere.yaml"], { cwd: await tempFolder() });
    expectRefused(end, ["nowhere.yaml"]);
  });

  it("a command that it does not have", async () => {
    const end = await cli(["fly"], { cwd: await tempFolder() });
    expectRefused(end, ["fly"]);
  });

  it("a Redis that nobody answers at, without its password and without leaving a run", async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, "job.yaml"), jobText());
    await writeFile(join(folder, "input.csv"), "id,text\na,x\n");
    const queue = `redis://user:secret@127.0.0.1:${await freePort()}`;
    const end = await cli(["run", "job.yaml", "--simulate", "--queue", queue], { cwd: folder });
    expectRefused(end, [queue.replace("user:secret@", ""), "--queue"]);
    expect(end.stderr).not.toContain("secret");
    expect(await namesIn(join(folder, "runs"))).toEqual([]);
  });

  it("a run id that exists", async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, "job.yaml"), jobText());
    await writeFile(join(folder, "input.csv"), "id,text\na,x\n");
    await mkdir(join(folder, "runs", "once", "something"), { recursive: true });
    const end = await cli(["run", "job.yaml", "--simulate", "--run-id", "once"], { cwd: folder });
    expectRefused(end, ["once"]);
  });

  it.each(["resume", "retry", "status", "export"])("to %s a run that does not exist", async (command) => {
    const end = await cli([command, "yesterday"], { cwd: await tempFolder() });
    expectRefused(end, ["yesterday", "promptmill status"]);
  });
});

/** Exit 2, nothing on stdout, and on stderr one error with its hint and nothing else. */
function expectRefused(end: CliEnd, says: readonly (string | RegExp)[]): void {
  expect(end, end.stderr).toMatchObject({ code: 2, stdout: "" });
  for (const text of says) expect(end.stderr).toMatch(text);
  expect(end.stderr.match(/^error: /gm), end.stderr).toHaveLength(1);
  expect(end.stderr).not.toMatch(/^\s+at /m);
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
