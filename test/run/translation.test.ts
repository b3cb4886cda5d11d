import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { resume, run } from "../../src/run/run.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";
import { onlyResult, readBack, runRows, type Row } from "./running.js";

const job = (protocol: "openai" | "dashscope") =>
  ({
    model: "qwen-mt-flash",
    protocol,
    prompt: { user: "{{ text }}" },
    translation: { source: "English", target: "{{ language }}" },
    output: { format: "jsonl", column: "translation" },
  }) as const;

/** Some 2,500 tokens each: two do not fit into one call. */
const paragraph = (name: string): string =>
  `${name} begins. ${"The quick brown fox rests. ".repeat(400)}${name} ends.`;

describe.each(["openai", "dashscope"] as const)("a translation by the %s protocol", (protocol) => {
  it("says what to translate into, row by row, with the terms that occur in it", async () => {
    const simulator = await simulatedModel();
    const { results } = await runRows(
      {
        ...job(protocol),
        translation: {
          ...job(protocol).translation,
          terms: "terms.csv",
          memory: [{ source: "Good day.", target: "Guten Tag." }],
          domain: "Short notices.",
        },
      },
      [
        { text: "The Dock charges.", language: "German" },
        { text: "Nothing of that.", language: "Japanese" },
      ],
      { simulator, files: { "terms.csv": "source,target\nDock,Ladestation\nfilter,Filter\n" } },
    );
    expect(results.map((row) => row["translation"])).toEqual([
      "[simulated German] The Ladestation charges.",
      "[simulated Japanese] Nothing of that.",
    ]);
  });

  it("of a row longer than the model takes is made part by part and joined, each part counted", async () => {
    const simulator = await simulatedModel();
    const text = ["First", "Second", "Third"].map(paragraph).join("\n\n");
    const done = await runRows(job(protocol), [{ text, language: "German" }], { simulator });
    const result = onlyResult(done);
    expect(result).toMatchObject({ status: "succeeded", attempts: 3 });
    expect(done.results[0]!["translation"]).toBe(
      ["First", "Second", "Third"].map((name) => `[simulated German] ${paragraph(name)}`).join("\n\n"),
    );
    const { answered, tokens } = simulator.calls();
    expect(answered).toBe(3);
    expect(done.usage.tokens).toMatchObject({ input: tokens.input, output: tokens.output });
    expect(done.usage.attempts).toMatchObject({ billed: 3, possiblyBilled: 0 });
  });

  it("calls a part that failed again, and no other", async () => {
    const simulator = await simulatedModel();
    const marked = "[[sim:fault=server_error;times=1]]";
    const text = `${paragraph("First")}\n\n${marked} ${paragraph("Second")}\n\n${paragraph("Third")}`;
    const done = await runRows(job(protocol), [{ text, language: "German" }], { simulator });
    expect(onlyResult(done)).toMatchObject({ status: "succeeded", attempts: 4 });
    expect(simulator.calls()).toMatchObject({ total: 4, answered: 3 });
    expect(done.usage.tokens.input).toBe(simulator.calls().tokens.input);
  });

  it("whose middle part is refused fails the row, and counts the parts that were paid for", async () => {
    const simulator = await simulatedModel();
    const text = `${paragraph("First")}\n\n[[sim:fault=content_inspection]] ${paragraph("Second")}`;
    const done = await runRows(job(protocol), [{ text, language: "German" }], { simulator });
    expect(onlyResult(done)).toMatchObject({ status: "failed", error: { kind: "content_filter" } });
    expect(done.usage.attempts.billed).toBe(1);
    expect(done.usage.tokens.input).toBe(simulator.calls().tokens.input);
  });

  it("that was interrupted goes on with the part that was next", async () => {
    const simulator = await simulatedModel();
    const interrupt = new AbortController();
    const names = ["First", "Second", "Third"];
    // The second part is called while the run is being stopped.
    const text = names.map((name) => `[[sim:delay=300]] ${paragraph(name)}`).join("\n\n");
    const running = runRows(job(protocol), [{ text, language: "German" }], {
      simulator,
      signal: interrupt.signal,
    });
    await until("the first part is answered", () => simulator.calls().answered >= 1);
    interrupt.abort();
    const stopped = await running;
    expect(stopped).toMatchObject({ state: "interrupted", journal: [] });
    const done = await readBack(
      await resume({
        run: stopped.directory,
        cwd: await tempFolder(),
        queue: redisUrl(),
        env: { PROMPTMILL_SIMULATOR_URL: simulator.url },
      }),
    );
    expect(onlyResult(done)).toMatchObject({ status: "succeeded", attempts: 3 });
    expect(simulator.calls()).toMatchObject({ total: 3, answered: 3 });
    expect(done.usage.tokens.input).toBe(simulator.calls().tokens.input);
  });

  it("takes prompt rows too", async () => {
    const simulator = await simulatedModel();
    const { prompt: _, ...withoutPrompt } = job(protocol);
    const { results } = await runRows(
      { ...withoutPrompt, translation: { target: "French" } },
      [{ prompt: "Good day." }],
      { simulator },
    );
    expect(results[0]).toMatchObject({ translation: "[simulated French] Good day." });
  });
});

it.each([
  ["a system message", { system: "Be brief.", prompt: "Hello" }, "row_invalid"],
  [
    "several turns",
    {
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: "b" },
        { role: "user", content: "c" },
      ],
    },
    "row_invalid",
  ],
])("translation models refuse %s before any call", async (_, row: Row, code) => {
  const simulator = await simulatedModel();
  const { prompt: _prompt, ...withoutPrompt } = job("openai");
  const running = runRows({ ...withoutPrompt, translation: { target: "French" } }, [row], { simulator });
  await expect(running).rejects.toMatchObject({ code, exitCode: 2 });
  expect(simulator.calls().total).toBe(0);
});

it("jobs/translate-mt.yaml translates its sample with the glossary's terms", async () => {
  const simulator = await simulatedModel();
  const done = await readBack(
    await run({
      job: fileURLToPath(new URL("../../jobs/translate-mt.yaml", import.meta.url)),
      set: { provider: "simulator" },
      cwd: await tempFolder(),
      queue: redisUrl(),
      env: { PROMPTMILL_SIMULATOR_URL: simulator.url },
    }),
  );
  const sample = await readFile(new URL("../../samples/manual.csv", import.meta.url));
  expect(done.rows).toEqual({ total: parse(sample, { columns: true }).length, succeeded: 8, failed: 0 });
  const brush = done.results.find(({ section }) => section === "M-04");
  expect(brush?.["translation"]).toContain("[simulated German] ");
  expect(brush?.["translation"]).toContain("Cut hair from the Hauptbürste");
});
