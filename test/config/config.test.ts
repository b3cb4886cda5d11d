import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig, processEnvironment, providerNames } from "../../src/config.js";
import { UsageError } from "../../src/errors.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "promptmill-config-"));
});
afterEach(() => rm(folder, { recursive: true }));

const FILE = "promptmill.config.yaml";

async function load(text: string, env: Record<string, string> = {}) {
  await writeFile(join(folder, FILE), text);
  return loadConfig({ cwd: folder, env });
}

async function refusal(text: string): Promise<string> {
  const error: unknown = await load(text).then(
    () => null,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(UsageError);
  return (error as Error).message;
}

describe("the configuration file", () => {
  it("is looked for from the working folder upward", async () => {
    await writeFile(join(folder, FILE), "queue: redis://localhost:6379\n");
    const below = join(folder, "a/b");
    await mkdir(below, { recursive: true });
    expect(await loadConfig({ cwd: below, env: {} })).toMatchObject({
      file: join(folder, FILE),
      queue: "redis://localhost:6379",
    });
  });

  it("may be missing or empty: everything has a default", async () => {
    const nothing = { queue: null, providers: {}, presets: {}, prices: [] };
    expect(await loadConfig({ cwd: folder, env: {} })).toMatchObject({ file: null, ...nothing });
    expect(await load("# nothing yet\n")).toMatchObject({ file: join(folder, FILE), ...nothing });
  });

  it("must exist when it is named", async () => {
    await expect(loadConfig({ path: "other.yaml", cwd: folder, env: {} })).rejects.toThrow(
      "other.yaml: there is no such configuration file",
    );
  });

  it("holds providers by name, presets and prices", async () => {
    const config = await load(
      [
        "providers:",
        '  local-vllm: { protocol: openai, baseUrl: "http://127.0.0.1:8000/v1", apiKeyEnv: VLLM_API_KEY }',
        "  model-studio: { workspace: ws-1, region: beijing }",
        "presets: { house: { temperature: 0.5, topP: 0.9 } }",
        "prices: [{ model: m, currency: USD, input: 1, output: 2 }]",
      ].join("\n"),
    );
    expect(config.providers).toEqual({
      "local-vllm": {
        name: "local-vllm",
        protocol: "openai",
        baseUrl: "http://127.0.0.1:8000/v1",
        apiKeyEnv: "VLLM_API_KEY",
      },
      "model-studio": { name: "model-studio", workspace: "ws-1", region: "beijing" },
    });
    expect(config.presets).toEqual({ house: { temperature: 0.5, topP: 0.9 } });
    expect(config.prices).toHaveLength(1);
    expect(providerNames(config)).toEqual(["model-studio", "openai-compatible", "simulator", "local-vllm"]);
  });

  it("reports every problem with its line and column", async () => {
    const message = await refusal(
      [
        "qeue: redis://x",
        "providers:",
        "  a: { protocol: grpc, baseUrl: ftp://x }",
        "presets: { p: { temperature: 2, top_p: 1 } }",
      ].join("\n"),
    );
    const at = join(folder, FILE);
    expect(message.split("\n").slice(1)).toEqual([
      `  ${at}:1:1: qeue: unknown key; did you mean queue?`,
      `  ${at}:3:18: providers.a.protocol: expected openai or dashscope, received "grpc"`,
      expect.stringContaining(`${at}:3:33: providers.a.baseUrl: expected an http or https URL`),
      `  ${at}:4:30: presets.p.temperature: expected a number in [0, 2), received 2`,
      `  ${at}:4:33: presets.p.top_p: unknown key; did you mean topP?`,
    ]);
  });

  it("refuses a provider of its own without an address", async () => {
    expect(await refusal("providers: { mine: { protocol: openai } }")).toContain(
      "providers.mine: expected a baseUrl",
    );
  });

  it.each([
    ["http://user:hunter2@host/v1", "hunter2"],
    ["https://hunter2@host/v1", "hunter2"],
    ["https://host/v1?key=1", "nothing"],
  ])("refuses baseUrl %s without repeating what may be secret", async (baseUrl, secret) => {
    const message = await refusal(`providers: { a: { baseUrl: "${baseUrl}" } }`);
    expect(message).toContain("providers.a.baseUrl: expected an http or https URL without user");
    expect(message).not.toContain(secret);
  });

  it("refuses a key where the name of its variable belongs, without repeating it", async () => {
    const message = await refusal('providers: { a: { baseUrl: "http://h/v1", apiKeyEnv: sk-hunter2 } }');
    expect(message).toContain("expected the name of an environment variable, not a key");
    expect(message).not.toContain("hunter2");
  });

  it("does not quote the file when its syntax is wrong", async () => {
    const message = await refusal('apiKey: "sk-hunter2\nqueue: x\n');
    expect(message).not.toContain("hunter2");
  });
});

describe("the environment", () => {
  it("wins over .env beside the configuration file, also when empty", async () => {
    await writeFile(
      join(folder, ".env"),
      "\uFEFFA=file\nexport B='quoted # not a comment'\nC=file # comment\nD=file\r\n",
    );
    const { environment } = await load("", { A: "process", D: "" });
    expect({ ...environment }).toEqual({ A: "process", B: "quoted # not a comment", C: "file", D: "" });
  });

  it("is that of the process alone when there is no configuration file", async () => {
    await writeFile(join(folder, ".env"), "A=file\n");
    const { environment } = await loadConfig({ cwd: folder, env: { B: "process" } });
    expect({ ...environment }).toEqual({ B: "process" });
  });

  it("shows no value in logs and JSON", async () => {
    await writeFile(join(folder, ".env"), "KEY=sk-hunter2\n");
    const config = await load("", { OTHER: "sk-hunter3" });
    expect(config.environment["KEY"]).toBe("sk-hunter2");
    for (const text of [JSON.stringify(config), inspect(config, { depth: 9, showHidden: false })]) {
      expect(text).not.toContain("hunter");
      expect(text).toContain("2 variables");
    }
    expect(inspect(processEnvironment())).toMatch(/^\[?'?\[\d+ variables\]/);
  });
});
