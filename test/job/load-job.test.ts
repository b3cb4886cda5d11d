import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { compileRequests, loadJob, parseSet } from "../../src/job/index.js";
import { emptyConfig, row } from "./fixtures.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "promptmill-job-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function refusalOf(path: string): Promise<UsageError> {
  const error: unknown = await loadJob(path, { config: emptyConfig }).then(
    () => null,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(UsageError);
  return error as UsageError;
}

const valid = 'name: a\nmodel: m\nprompt:\n  user: "{{ text }}"\n';

describe("loading a job file", () => {
  it("resolves its paths against its own folder", async () => {
    const path = await write("job.yaml", `${valid}input: { path: data/rows.csv }\n`);
    const { job, warnings } = await loadJob(path, { config: emptyConfig });
    expect(job).toMatchObject({
      file: path,
      baseDir: folder,
      input: { path: join(folder, "data/rows.csv") },
    });
    expect(warnings).toEqual([]);
  });

  it("reads JSON, also when indented with tabs", async () => {
    const path = await write(
      "job.json",
      '{\n\t"name": "a",\n\t"model": "m",\n\t"prompt": { "user": "x" }\n}\n',
    );
    expect((await loadJob(path, { config: emptyConfig })).job.name).toBe("a");
  });

  it("gives file, line and column of every problem, in the file's order", async () => {
    const path = await write(
      "job.yaml",
      [
        "name: a",
        "modle: m",
        "parameters:",
        "  temperature: 2",
        "  top_p: 0.5",
        "prompt:",
        "  system: |",
        "    First line.",
        "    Then {{ title | shout }}.",
        '  user: "{{ text"',
        "limits: { budget: -1 }",
      ].join("\n"),
    );
    const { message, code } = await refusalOf(path);
    expect(code).toBe("invalid_job");
    expect(message.split("\n")).toEqual([
      `${path}: 7 problems`,
      `  ${path}:1:1: model: expected a model name, received nothing`,
      `  ${path}:2:1: modle: unknown key; did you mean model?`,
      `  ${path}:4:16: parameters.temperature: expected a number in [0, 2), received 2`,
      `  ${path}:5:3: parameters.top_p: unknown key; did you mean topP?`,
      `  ${path}:9:10: prompt.system: undefined filter: shout`,
      `  ${path}:10:10: prompt.user: output "{{ text" not closed`,
      `  ${path}:11:19: limits.budget: expected a number above 0, received -1`,
    ]);
  });

  it.each([
    ["missing", null, "there is no such job file", "file_not_found"],
    ["empty", "", "the job file is empty", "empty_file"],
    ["only comments", "# later\n", "the job file is empty", "empty_file"],
    ["a syntax error", "name: a\nmodel: [m\nprompt: x\n", ":3:", "invalid_syntax"],
    [
      "an unquoted template",
      "name: a\nmodel: m\nprompt:\n  user: {{ text }}\n",
      "prompt.user: expected",
      "invalid_job",
    ],
    ["a key twice", "name: a\nmodel: m\nname: b\n", ":3:1: this key is given twice", "duplicate_key"],
    ["two documents", `${valid}---\n${valid}`, "not valid YAML", "invalid_syntax"],
    ["an unknown alias", "name: *nobody\n", "not valid YAML", "invalid_syntax"],
    ["bytes that are not UTF-8", Buffer.from([0x6e, 0x3a, 0x20, 0xff, 0xfe]), "not UTF-8", "not_utf8"],
    ["a list", "- a\n", ":1:1: the whole file: expected a mapping, received a list", "invalid_job"],
    ["plain text", "hello\n", 'expected a mapping, received "hello"', "invalid_job"],
  ])("refuses a file that is %s in one sentence", async (_what, content, expected, code) => {
    const path = join(folder, "job.yaml");
    if (content !== null) await write("job.yaml", content);
    const error = await refusalOf(path);
    expect(error.message).toContain(expected);
    expect(error.message).toContain(path);
    expect(error.code).toBe(code);
    expect(error.hint).toBeTruthy();
  });

  it("refuses a folder", async () => {
    await mkdir(join(folder, "job.yaml"));
    expect((await refusalOf(join(folder, "job.yaml"))).message).toContain(
      "expected a job file, received a folder",
    );
  });

  it("warns when a job sets both temperature and topP, and when overrides have no effect", async () => {
    const path = await write(
      "job.yaml",
      "name: a\nmodel: m\nparameters: { temperature: 1, topP: 0.5 }\noverrides: [preset]\n",
    );
    const { warnings } = await loadJob(path, { config: emptyConfig });
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain("both temperature and topP");
  });

  it.each([
    ["block", "prompt:\n  user: |\n    One\n    Two {{ titel }}\n", "job.yaml:6:12", 6],
    [
      "block that begins with an empty line",
      "prompt:\n  user: |\n\n    Two {{ titel }}\n",
      "job.yaml:6:12",
      6,
    ],
    ["plain", "prompt:\n  user: Two {{ titel }}\n", "job.yaml:4:16", 4],
    ["quoted", 'prompt: { user: "{{ titel }}" }\n', "job.yaml:3:21", 3],
    ["folded", "prompt:\n  user: >\n    One\n    Two {{ titel }}\n", "job.yaml:4:9", 4],
  ])("names the line of a %s template that a row cannot fill", async (_form, prompt, place, line) => {
    const path = await write("job.yaml", `name: a\nmodel: m\n${prompt}`);
    const { job } = await loadJob(path, { config: emptyConfig });
    // As a resume does: the job comes back from run.json.
    const builder = compileRequests(JSON.parse(JSON.stringify(job)) as typeof job);
    expect(() => builder.build(row({ title: "x" }))).toThrow(
      expect.objectContaining({ templateLine: line, message: expect.stringContaining(place) as string }),
    );
  });

  it("does not name the file for a template that --set gave", async () => {
    const path = await write("job.yaml", valid);
    const { job } = await loadJob(path, { config: emptyConfig, set: parseSet(["prompt.user={{ other }}"]) });
    expect(() => compileRequests(job).build(row({ text: "x" }))).toThrow("(prompt.user, template line 1)");
  });

  it("reads glossary and schema from files beside it", async () => {
    await write("terms.csv", '\uFEFFsource,target,note\nlamp,Leuchte,\n"a, b",c,x\n');
    await write("answer.json", '{"type":"object"}');
    const path = await write(
      "job.yaml",
      `${valid}translation: { target: German, terms: terms.csv }\noutput: { schema: answer.json }\n`,
    );
    const { job } = await loadJob(path, { config: emptyConfig });
    expect(job.translation?.terms).toEqual([
      { source: "lamp", target: "Leuchte" },
      { source: "a, b", target: "c" },
    ]);
    expect(job.output.schema).toEqual({ type: "object" });
  });

  it.each([
    [
      "terms.csv",
      "word,meaning\na,b\n",
      "with the columns source and target, but terms.csv has word, meaning",
    ],
    ["terms.csv", "source,target\na,b\nc,\n", "one is empty in terms.csv, line 3"],
    ["terms.csv", 'source,target\n"a,b\n', "expected a CSV file, but terms.csv is not"],
  ])("refuses a glossary %s of %j", async (name, content, expected) => {
    await write(name, content);
    const path = await write("job.yaml", `${valid}translation: { target: German, terms: ${name} }\n`);
    const { message } = await refusalOf(path);
    expect(message).toContain(expected);
    expect(message).toContain(`${path}:5:39: translation.terms`);
  });
});

describe("the jobs that ship", async () => {
  const shipped = fileURLToPath(new URL("../../jobs/", import.meta.url));
  const files = (await readdir(shipped)).filter((name) => name.endsWith(".yaml"));
  it.each(files)("%s loads without a warning", async (name) => {
    const { job, warnings } = await loadJob(join(shipped, name), { config: emptyConfig });
    expect(warnings).toEqual([]);
    expect(() => compileRequests(job)).not.toThrow();
  });
});
