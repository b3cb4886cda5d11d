import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "../../src/run/run.js";
import type { Simulator } from "../../src/simulator/index.js";
import type { Protocol } from "../../src/types.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";
import { readBack, type FinishedRun, type Row } from "./running.js";

const root = resolve(import.meta.dirname, "../..");
const { batch, others } = exampleFiles();

function exampleFiles(): { batch: string; others: string[] } {
  const text = readFileSync(join(root, "docs/examples/index.json"), "utf8");
  const files = (JSON.parse(text) as { file: string }[]).map(({ file }) => join("docs/examples", file));
  const batch = files.find((file) => file.includes("batch-chat")) ?? "";
  const jobs = readdirSync(join(root, "jobs")).map((file) => join("jobs", file));
  return { batch, others: [...files.filter((file) => file !== batch), ...jobs] };
}

/** Runs a job file as its user would, with a key, but for the address of the service. */
async function runFile(
  file: string,
  simulator: Simulator,
  protocol: Protocol,
  baseUrl?: string,
): Promise<FinishedRun> {
  const cwd = await tempFolder();
  const address = baseUrl ?? (protocol === "openai" ? simulator.openaiBaseUrl : simulator.dashscopeBaseUrl);
  await writeFile(
    join(cwd, "promptmill.config.yaml"),
    `providers: { model-studio: { baseUrl: "${address}", region: singapore } }\n`,
  );
  return await readBack(
    await run({
      job: join(root, file),
      set: { protocol },
      cwd,
      queue: redisUrl(),
      env: { DASHSCOPE_API_KEY: "sk-0123456789" },
    }),
  );
}

/** A server makes up its own identifiers for tool calls. */
function comparable(results: readonly Row[]): unknown {
  return JSON.parse(JSON.stringify(results).replaceAll(/call_[\w-]+/g, "call_x"));
}

describe.each(others)("%s", (file) => {
  it("answers every row, the same by both protocols", async () => {
    const runs: FinishedRun[] = [];
    for (const protocol of ["openai", "dashscope"] as const) {
      const simulator = await simulatedModel({ strictModels: true, apiKey: "sk-0123456789" });
      const done = await runFile(file, simulator, protocol);
      expect(done.rows.failed).toBe(0);
      expect(done.rows.succeeded).toBe(done.rows.total);
      expect(done.usage.cost.unpricedModels).toEqual([]);
      expect(done.usage.tokens.output).toBe(simulator.calls().tokens.output);
      runs.push(done);
    }
    expect(comparable(runs[1]!.results)).toEqual(comparable(runs[0]!.results));
  });
});

it(`${batch} holds its calls open`, async () => {
  const simulator = await simulatedModel({ batchChatDelayMs: 300 });
  const done = await runFile(batch, simulator, "openai", simulator.batchChatBaseUrl);
  expect(done.rows.succeeded).toBe(done.rows.total);
  expect(Math.min(...done.journal.map(({ latencyMs }) => latencyMs))).toBeGreaterThanOrEqual(290);
});

it(`${batch} costs half, also when it is only simulated`, async () => {
  const costIn = async (region: string): Promise<number> => {
    const { usage } = await run({
      job: join(root, batch),
      set: { region },
      simulate: { latency: { kind: "fixed", ms: 0 } },
      cwd: await tempFolder(),
      queue: redisUrl(),
      env: {},
    });
    expect(usage.cost.currency).toBe("CNY");
    return Number(usage.cost.amount);
  };
  expect(await costIn("beijing-batch")).toBeCloseTo((await costIn("beijing")) / 2, 12);
});

describe("docs/examples", () => {
  const read = (name: string): string => readFileSync(join(root, "docs/examples", name), "utf8");
  const pairs = readdirSync(join(root, "docs/examples")).filter((name) => name.endsWith("-dashscope.yaml"));

  it.each(pairs)("%s differs from its counterpart by protocol and name alone", (name) => {
    const lines = (text: string): string[] =>
      text.split("\n").filter((line) => !/^(#|name:|protocol:)/.test(line));
    expect(read(name)).toContain("\nprotocol: dashscope\n");
    expect(lines(read(name))).toEqual(lines(read(name.replace("-dashscope", ""))));
  });

  it("hold thinking, structured values, joined prefixes and tool calls where they show them", async () => {
    const simulator = await simulatedModel();
    const results = async (name: string): Promise<readonly Row[]> =>
      (await runFile(`docs/examples/${name}`, simulator, "openai")).results;
    for (const row of await results("thinking.yaml"))
      expect(row["reasoning"]).toMatch(/^\[simulated reasoning\]/);
    for (const row of await results("structured.yaml")) {
      expect(["late", "damaged", "wrong_item", "other"]).toContain(row["reason"]);
      expect(["true", "false"]).toContain(row["refund"]);
      expect(JSON.parse(String(row["items"]))).toBeInstanceOf(Array);
    }
    for (const { answer, beginning } of await results("prefix.yaml")) {
      expect(String(answer).startsWith(String(beginning))).toBe(true);
    }
    expect((await results("tools.yaml"))[0]!["tool_calls"]).toEqual([
      expect.objectContaining({ function: expect.objectContaining({ name: "get_weather" }) as unknown }),
    ]);
  });
});
