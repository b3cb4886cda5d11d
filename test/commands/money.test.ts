import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cli } from "../support/cli.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";

const ROWS = 10;
const JOB = `name: cheap
model: qwen-plus
provider: mine
parameters: { maxTokens: 50 }
input: { path: rows.csv }
prompt: { user: "Say: {{ text }}" }
tags: { team: search }
`;

/** A folder with a job against a model server of its own, which counts as real. */
async function folder() {
  const model = await simulatedModel();
  const cwd = await tempFolder();
  await writeFile(join(cwd, "job.yaml"), JOB);
  const lines = Array.from({ length: ROWS }, (_, index) => `text ${index}\n`);
  await writeFile(join(cwd, "rows.csv"), `text\n${lines.join("")}`);
  await writeFile(
    join(cwd, "promptmill.config.yaml"),
    `providers: { mine: { protocol: openai, baseUrl: "${model.openaiBaseUrl}" } }
prices:
  - { model: qwen-plus, provider: mine, currency: USD, input: 1, output: 2, source: contract }
`,
  );
  const call = (...args: string[]) => cli(args, { cwd, env: { PROMPTMILL_QUEUE: redisUrl() } });
  return { model, cwd, call };
}

describe("promptmill estimate", () => {
  it("prints a table, or JSON, and calls nothing", async () => {
    const { model, call } = await folder();
    const table = await call("estimate", "job.yaml");
    expect(table).toMatchObject({ code: 0, stderr: "" });
    expect(table.stdout).toMatch(/rows +10\n/);
    expect(table.stdout).toMatch(/output tokens +at most 500 /);
    expect(table.stdout).toMatch(/cost +at most 0\.\d+ USD/);
    expect(table.stdout).toContain("Nothing was called.");
    const json = JSON.parse((await call("estimate", "job.yaml", "--json")).stdout) as { rows: number };
    expect(json.rows).toBe(ROWS);
    expect(model.calls().total).toBe(0);
  });

  it("makes the calls it is told to, and says so", async () => {
    const { model, call } = await folder();
    const { stdout } = await call("estimate", "job.yaml", "--calls", "3");
    expect(stdout).toMatch(/Made 3 real calls: 3 answered in .* They cost 0\.\d+ USD\./);
    expect(model.calls().total).toBe(3);
    expect((await call("estimate", "job.yaml", "--calls", "3", "--simulate")).stdout).toContain(
      "3 simulated calls",
    );
    expect(model.calls().total).toBe(3);
  });
});

describe("promptmill run --budget", () => {
  it("halts with exit 4, names the resume command, and goes on with it", async () => {
    const { call } = await folder();
    const halted = await call("run", "job.yaml", "--budget", "0.0003", "--run-id", "b1", "--json");
    expect(halted.code).toBe(4);
    const { halt, usage } = JSON.parse(halted.stdout) as {
      halt: { code: string; hint: string };
      usage: { cost: { amount: number } };
    };
    expect(halt.code).toBe("budget_spent");
    expect(usage.cost.amount).toBeLessThanOrEqual(0.0003);
    expect(halt.hint).toMatch(/promptmill resume b1 --budget 0\.\d+/);
    expect(await call("resume", "b1", "--budget", "1")).toMatchObject({ code: 0 });
  });

  it("is refused for a model without a price, and for what is no amount", async () => {
    const { model, call } = await folder();
    const unpriced = await call("run", "job.yaml", "--budget", "1", "--set", "model=unheard-of");
    expect(unpriced.code).toBe(2);
    expect(unpriced.stderr).toContain("no price is known for unheard-of");
    expect((await call("run", "job.yaml", "--budget", "free")).code).toBe(2);
    expect(model.calls().total).toBe(0);
  });
});

describe("promptmill run --reuse", () => {
  it("says how many answers were reused and what that saved", async () => {
    const { model, call } = await folder();
    await call("run", "job.yaml");
    const { stdout } = await call("run", "job.yaml", "--reuse");
    expect(stdout).toMatch(/reused +10 answers of earlier runs, which saved 0\.\d+ USD/);
    expect(model.calls().total).toBe(ROWS);
    expect(await call("run", "job.yaml", "--reuse", "no-such-run")).toMatchObject({ code: 2 });
  });
});

describe("promptmill report", () => {
  it("reports over all runs in every format, and leaves simulated runs out", async () => {
    const { cwd, call } = await folder();
    await call("run", "job.yaml", "--run-id", "real");
    await call("run", "job.yaml", "--run-id", "simulated", "--simulate", "latency=0");
    const table = await call("report", "--by", "model,tag:team");
    expect(table.stdout).toMatch(/qwen-plus +search +1 +10/);
    expect(table.stderr).toContain("1 simulated run is left out");
    expect((await call("report", "--simulated")).stdout).toMatch(/cheap +2 +20/);
    expect((await call("report", "simulated")).stdout).toMatch(/cheap +1 +10/);

    const csv = await call("report", "--by", "day,model", "--format", "csv", "--time-zone", "Asia/Shanghai");
    expect(csv.stdout.split("\n")[0]).toContain("day,model,runs,rows");
    const json = await call("report", "--json", "--rate", "USD=7.2CNY");
    expect(JSON.parse(json.stdout)).toMatchObject({
      total: { cost: [{ currency: "CNY" }], rows: { total: ROWS } },
    });
    const html = await call("report", "--format", "html", "--out-file", "report.html");
    expect(html).toMatchObject({ code: 0, stdout: "" });
    expect(await readFile(join(cwd, "report.html"), "utf8")).toContain("<!doctype html>");
    expect((await call("report", "--since", "2001-01-01", "--until", "2001-02-01")).stdout).toContain(
      "No usage",
    );
  });

  it("compares with a bill: exit 0 when it agrees, 3 when it differs", async () => {
    const { cwd, call } = await folder();
    await call("run", "job.yaml");
    const { stdout } = await call("report", "--by", "day,model", "--json");
    const { groups } = JSON.parse(stdout) as {
      groups: { group: { day: string }; cost: { amount: number }[]; tokens: { input: number } }[];
    };
    const day = groups[0]?.group.day ?? "";
    const input = groups[0]?.tokens.input ?? 0;
    const bill = (tokens: number): string => `day,model,input_tokens\n${day},qwen-plus,${tokens}\n`;
    await writeFile(join(cwd, "bill.csv"), bill(input));
    expect(await call("report", "--check", "bill.csv")).toMatchObject({ code: 0 });
    await writeFile(join(cwd, "bill.csv"), bill(input + 5));
    const differs = await call("report", "--check", "bill.csv");
    expect(differs.code).toBe(3);
    expect(differs.stdout).toContain("input tokens");
    expect((await call("report", "--check", "none.csv")).code).toBe(2);
  });

  it("names what is wrong with its options", async () => {
    const { cwd, call } = await folder();
    expect(await call("report")).toMatchObject({ code: 2 });
    await mkdir(join(cwd, "runs"));
    expect((await call("report")).stdout).toContain("No usage");
    for (const wrong of [
      ["--by", "mood"],
      ["--rate", "much"],
      ["--time-zone", "Mars/Base"],
      ["--since", "noon"],
      ["nowhere"],
    ]) {
      expect(await call("report", ...wrong)).toMatchObject({ code: 2 });
    }
  });
});

describe("promptmill prices", () => {
  it("lists the dated table with its sources, the user's own first", async () => {
    const { call } = await folder();
    const { stdout } = await call("prices");
    expect(stdout).toMatch(/^Prices per 1,000,000 tokens, built-in table of \d{4}-\d{2}-\d{2}/);
    expect(stdout).toMatch(/model[^\n]*\n[^\n]*\nqwen-plus +mine/);
    expect(stdout).toContain("Sources:");
    const json = JSON.parse((await call("prices", "--json")).stdout) as { entries: { source: string }[] };
    expect(json.entries[0]?.source).toBe("contract");
  });

  it("refuses prices that are none", async () => {
    const { cwd, call } = await folder();
    await writeFile(join(cwd, "promptmill.config.yaml"), "prices: [{ model: m, currency: dollars }]\n");
    const { code, stderr } = await call("prices");
    expect(code).toBe(2);
    expect(stderr).toContain("prices:");
  });
});

describe("promptmill init", () => {
  it("writes a job that runs as it is, for the columns of the input", async () => {
    const cwd = await tempFolder();
    await writeFile(join(cwd, "Meine Texte.csv"), "Nr,Längerer Text\n1,ein langer Text\n2,noch ein Text\n");
    const call = (...args: string[]) => cli(args, { cwd, env: { PROMPTMILL_QUEUE: redisUrl() } });
    expect(await call("init", "Meine Texte.csv")).toMatchObject({ code: 0 });
    const job = await readFile(join(cwd, "meine-texte.job.yaml"), "utf8");
    expect(job).toContain('{{ row["Längerer Text"] }}');
    expect(job).toContain("id: Nr");
    const run = await call("run", "meine-texte.job.yaml", "--simulate", "latency=0");
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("2 succeeded");
  });

  it("brings rows of its own when there are none, and overwrites nothing", async () => {
    const cwd = await tempFolder();
    const call = (...args: string[]) => cli(args, { cwd, env: {} });
    expect(await call("init")).toMatchObject({ code: 0 });
    expect(await call("validate", "rows.job.yaml")).toMatchObject({ code: 0 });
    await writeFile(join(cwd, "rows.job.yaml"), "mine");
    await writeFile(join(cwd, "promptmill.config.yaml"), "{}");
    const again = await call("init");
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("rows.job.yaml is there already");
    expect(await call("init", "--job", "other.yaml")).toMatchObject({ code: 0 });
    expect(await readFile(join(cwd, "rows.job.yaml"), "utf8")).toBe("mine");
    expect(await readFile(join(cwd, "promptmill.config.yaml"), "utf8")).toBe("{}");
  });
});
