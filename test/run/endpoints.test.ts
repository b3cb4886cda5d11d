import { describe, expect, it } from "vitest";
import { simulatedModel } from "../support/simulator.js";
import { onlyResult, runRows, type FinishedRun } from "./running.js";

const singaporeKey = "sk-singapore-0123456789";
const beijingKey = "sk-beijing-0123456789";
const env = { DASHSCOPE_API_KEY_SINGAPORE: singaporeKey, DASHSCOPE_API_KEY_BEIJING: beijingKey };
const job = { provider: "model-studio", model: "qwen-plus", output: { format: "jsonl" } } as const;
const rows = [{ prompt: "Who are you?" }];

/** A configuration that sends Model Studio's calls to this address: a gateway, say. */
const gateway = (baseUrl: string): string => `providers:\n  model-studio:\n    baseUrl: "${baseUrl}"\n`;

describe.each(["openai", "dashscope"] as const)("keys of regions by the %s protocol", (protocol) => {
  async function runIn(region: string, apiKey: string): Promise<FinishedRun> {
    const simulator = await simulatedModel({ apiKey });
    const baseUrl = protocol === "openai" ? simulator.openaiBaseUrl : simulator.dashscopeBaseUrl;
    return await runRows({ ...job, protocol, region }, rows, { simulator, env, config: gateway(baseUrl) });
  }

  it.each([
    ["singapore", singaporeKey],
    ["beijing", beijingKey],
  ])("are taken for the region that the job names: %s", async (region, key) => {
    expect((await runIn(region, key)).rows).toMatchObject({ succeeded: 1 });
  });

  it("of another region halt the run, saying which key was used for which region", async () => {
    const done = await runIn("beijing", singaporeKey);
    expect(done.state).toBe("halted");
    expect(done.halt).toMatchObject({ exitCode: 4 });
    const { message, hint } = done.halt!;
    expect(message).toContain("region beijing");
    expect(message).toContain("DASHSCOPE_API_KEY_BEIJING");
    expect(hint).toContain("Keys differ by region");
    expect(message + String(hint)).not.toContain(beijingKey);
    expect(done.usage.attempts.billed).toBe(0);
  });
});

it("a key that is missing is said before any call, with the variables that may hold it", async () => {
  const simulator = await simulatedModel();
  const running = runRows({ ...job, region: "hong-kong" }, rows, {
    simulator,
    env,
    config: gateway("https://gateway.example/compatible-mode/v1"),
  });
  await expect(running).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining("DASHSCOPE_API_KEY_HONG_KONG") as string,
  });
});

describe("Batch Chat", () => {
  it("holds calls open for as long as it likes, is not streamed, and costs half", async () => {
    const simulator = await simulatedModel({ batchChatDelayMs: 700 });
    const runIn = (region: string, baseUrl: string): Promise<FinishedRun> =>
      runRows({ ...job, region, parameters: { maxTokens: 16_000 } }, rows, {
        simulator,
        env,
        config: gateway(baseUrl),
      });
    const batch = await runIn("beijing-batch", simulator.batchChatBaseUrl);
    const plain = await runIn("beijing", simulator.openaiBaseUrl);
    expect(onlyResult(batch).latencyMs).toBeGreaterThanOrEqual(690);
    expect(batch.usage.cost).toMatchObject({ currency: "CNY" });
    expect(batch.usage.cost.amount).toBeCloseTo(Number(plain.usage.cost.amount) / 2, 12);
  });

  it("does not speak the native protocol, which is said before any call", async () => {
    const simulator = await simulatedModel();
    const running = runRows({ ...job, region: "beijing-batch", protocol: "dashscope" }, rows, {
      simulator,
      env,
    });
    await expect(running).rejects.toMatchObject({ code: "protocol_not_supported", exitCode: 2 });
  });
});

describe("requests are checked by the rules of the server that answers", () => {
  const config = (baseUrl: string): string =>
    `providers:\n  own: { protocol: openai, baseUrl: "${baseUrl}" }\n`;

  it("another server may take what Model Studio refuses", async () => {
    const simulator = await simulatedModel();
    const done = await runRows(
      { ...job, provider: "own", model: "own-model", parameters: { logprobs: true, topLogprobs: 3 } },
      rows,
      {
        simulator,
        config: config(simulator.openaiBaseUrl),
      },
    );
    expect(done.rows).toMatchObject({ succeeded: 1 });
  });

  it.each([
    ["qwen-max", { enableThinking: true }, /qwen-max cannot think/],
    ["qwq-plus", { enableThinking: false }, /always thinks/],
    ["qwen-mt-flash", {}, /needs translation options/],
  ])("%s with %j is refused before any call, with the reason", async (model, parameters, message) => {
    const simulator = await simulatedModel();
    const running = runRows({ ...job, model, parameters }, rows, { simulator, env });
    await expect(running).rejects.toMatchObject({
      code: "request_invalid",
      exitCode: 2,
      message: expect.stringMatching(message) as string,
    });
    const elsewhere = runRows({ ...job, provider: "own", model, parameters }, rows, {
      simulator,
      config: config("http://127.0.0.1:9/v1"),
      signal: AbortSignal.abort(),
    });
    await expect(elsewhere).rejects.not.toMatchObject({ code: "request_invalid" });
  });
});
