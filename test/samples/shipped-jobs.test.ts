import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import iconv from "iconv-lite";
import { Liquid } from "liquidjs";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { jobJsonSchema, jobSchema, type CheckedJob } from "../../src/job/job-schema.js";

const root = path.resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

const files = ["jobs", "docs/examples"].flatMap((folder) =>
  readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => `${folder}/${name}`),
);

function inputRows(file: string, job: CheckedJob): Record<string, unknown>[] {
  const input = path.resolve(root, path.dirname(file), job.input.path);
  const encoding = job.input.encoding === "auto" ? "utf8" : job.input.encoding;
  const text = iconv.decode(readFileSync(input), encoding);
  return input.endsWith(".csv")
    ? parseCsv(text, { columns: true })
    : text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe.each(files)("%s", (file) => {
  const job = jobSchema.parse(parseYaml(read(file)));

  it("points editors at the schema and is named like its file", () => {
    const [, schema] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(read(file)) ?? [];
    expect(path.resolve(root, path.dirname(file), schema ?? "")).toBe(path.join(root, "schema/job.schema.json"));
    expect(job.name).toBe(path.basename(file, ".yaml"));
  });

  it("fills its templates from every row of its sample", () => {
    const liquid = new Liquid({ strictVariables: true, strictFilters: true, ownPropertyOnly: true });
    for (const row of inputRows(file, job)) {
      if (job.prompt === undefined) {
        expect("prompt" in row || "messages" in row).toBe(true);
        continue;
      }
      for (const template of [job.prompt.system, job.prompt.user]) {
        if (template) expect(liquid.parseAndRenderSync(template, row)).not.toContain("{{");
      }
    }
  });

  it("has an id column that is unique, where it names one", () => {
    const rows = inputRows(file, job);
    const { id } = job.input;
    if (id !== null) expect(new Set(rows.map((row) => row[id])).size).toBe(rows.length);
  });
});

describe("docs/examples/index.json", () => {
  it("lists every example once", () => {
    const listed = (JSON.parse(read("docs/examples/index.json")) as { file: string }[]).map((one) => one.file);
    const present = files.filter((file) => file.startsWith("docs/")).map((file) => path.basename(file));
    expect(listed.toSorted()).toEqual(present.toSorted());
  });

  it("is what docs/model-studio.md refers to", () => {
    const named = [...read("docs/model-studio.md").matchAll(/`([\w-]+\.yaml)`/g)].map(([, name]) => name ?? "");
    for (const name of named.filter((one) => one !== "promptmill.config.yaml")) {
      expect(existsSync(path.join(root, "docs/examples", name)), name).toBe(true);
    }
  });
});

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

describe("docs/job-file.md", () => {
  it("documents every key of the job file", () => {
    const document = read("docs/job-file.md");
    const schema = jobJsonSchema() as SchemaNode;
    const { $schema: _forEditors, ...keys } = schema.properties ?? {};
    const names = Object.entries(keys).flatMap(([key, node]) => [key, ...Object.keys(node.properties ?? {})]);
    expect(names.length).toBeGreaterThan(40);
    for (const name of names) expect(document, name).toContain(`\`${name}\``);
  });
});
