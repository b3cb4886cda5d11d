import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { readApiKey, resolveEndpoint } from "../../src/provider/index.js";
import type { Endpoint, Environment, ProviderSettings } from "../../src/provider/index.js";
import type { Protocol } from "../../src/types.js";

type Settings = Readonly<Record<string, Omit<ProviderSettings, "name">>>;

function resolve(
  provider: string,
  region: string | null = null,
  protocol: Protocol = "openai",
  settings: Settings = {},
  environment: Environment = {},
): Endpoint {
  const named = Object.fromEntries(Object.entries(settings).map(([name, each]) => [name, { name, ...each }]));
  return resolveEndpoint({ provider, region, protocol }, named, environment);
}

function problemOf(action: () => unknown): UsageError {
  try {
    action();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("Model Studio", () => {
  it.each([
    [null, "https://dashscope-intl.aliyuncs.com", "DASHSCOPE_API_KEY_SINGAPORE"],
    ["singapore", "https://dashscope-intl.aliyuncs.com", "DASHSCOPE_API_KEY_SINGAPORE"],
    ["beijing", "https://dashscope.aliyuncs.com", "DASHSCOPE_API_KEY_BEIJING"],
    ["cn-beijing", "https://dashscope.aliyuncs.com", "DASHSCOPE_API_KEY_BEIJING"],
    ["virginia", "https://dashscope-us.aliyuncs.com", "DASHSCOPE_API_KEY_VIRGINIA"],
    ["Hong-Kong", "https://cn-hongkong.dashscope.aliyuncs.com", "DASHSCOPE_API_KEY_HONG_KONG"],
    [
      "ws-1.ap-northeast-1.maas.aliyuncs.com",
      "https://ws-1.ap-northeast-1.maas.aliyuncs.com",
      "DASHSCOPE_API_KEY_TOKYO",
    ],
    [
      "ws-1.cn-beijing.maas.aliyuncs.com",
      "https://ws-1.cn-beijing.maas.aliyuncs.com",
      "DASHSCOPE_API_KEY_BEIJING",
    ],
  ])("region %s is at %s", (region, origin, keyName) => {
    for (const [protocol, path] of [
      ["openai", "/compatible-mode/v1"],
      ["dashscope", "/api/v1"],
    ] as const) {
      expect(resolve("model-studio", region, protocol)).toMatchObject({
        baseUrl: origin + path,
        displayUrl: origin + path,
        apiKeyEnvNames: [keyName, "DASHSCOPE_API_KEY"],
        keyRequired: true,
        vendor: "model-studio",
        batchChat: false,
      });
    }
  });

  it("Batch Chat is Beijing's, compatible only, and patient", () => {
    expect(resolve("model-studio", "beijing-batch")).toMatchObject({
      baseUrl: "https://batch.dashscope.aliyuncs.com/compatible-mode/v1",
      batchChat: true,
      apiKeyEnvNames: ["DASHSCOPE_API_KEY_BEIJING", "DASHSCOPE_API_KEY"],
      defaultTimeoutMs: 3_660_000,
    });
    expect(problemOf(() => resolve("model-studio", "beijing-batch", "dashscope")).code).toBe(
      "protocol_not_supported",
    );
    const byUrl = { "model-studio": { baseUrl: "https://batch.dashscope.aliyuncs.com/compatible-mode/v1" } };
    expect(resolve("model-studio", null, "openai", byUrl).batchChat).toBe(true);
  });

  it.each([
    "mars",
    "evil.example",
    "evil.example/.maas.aliyuncs.com",
    "x.cn-beijing.maas.aliyuncs.com.evil.example",
    "x.cn-beijing.maas.aliyuncs.com@evil.example",
    "x.cn-beijing.maas.aliyuncs.com:8080",
    "https://dashscope.aliyuncs.com",
    "bucket.oss-cn-beijing.aliyuncs.com",
    "",
  ])("no job can send a key to a host that is not the vendor's: %j", (region) => {
    const problem = problemOf(() => resolve("model-studio", region));
    expect(problem.code).toBe("unknown_region");
    expect(problem.message).toContain("singapore, beijing");
  });

  it("a workspace has its own host, and regions without another need one", () => {
    const settings = { "model-studio": { workspace: "WS-7" } };
    expect(resolve("model-studio", "frankfurt", "openai", settings).baseUrl).toBe(
      "https://ws-7.eu-central-1.maas.aliyuncs.com/compatible-mode/v1",
    );
    expect(problemOf(() => resolve("model-studio", "tokyo")).code).toBe("workspace_needed");
    const odd = { "model-studio": { workspace: "a.b/c" } };
    expect(problemOf(() => resolve("model-studio", "tokyo", "openai", odd)).code).toBe("workspace_needed");
  });

  it("the vendor SDK's base URLs count only when the job names no region", () => {
    const environment = {
      DASHSCOPE_COMPATIBLE_BASE_URL: "https://dashscope.aliyuncs.com/compatible-mode/v1/",
      DASHSCOPE_HTTP_BASE_URL: "https://dashscope.aliyuncs.com/api/v1",
    };
    expect(resolve("model-studio", null, "openai", {}, environment)).toMatchObject({
      baseUrl: "https://dashscope.aliyuncs.com/compatible-mode/v1",
      region: "beijing",
      apiKeyEnvNames: ["DASHSCOPE_API_KEY_BEIJING", "DASHSCOPE_API_KEY"],
    });
    expect(resolve("model-studio", null, "dashscope", {}, environment).baseUrl).toBe(
      "https://dashscope.aliyuncs.com/api/v1",
    );
    expect(resolve("model-studio", "virginia", "openai", {}, environment).region).toBe("virginia");
  });

  it("a configured base URL beats all, and one URL serves both protocols", () => {
    const settings = { "model-studio": { baseUrl: "http://127.0.0.1:4010/compatible-mode/v1" } };
    expect(resolve("model-studio", "singapore", "openai", settings)).toMatchObject({
      baseUrl: "http://127.0.0.1:4010/compatible-mode/v1",
      region: "singapore",
      keyRequired: false,
    });
    expect(resolve("model-studio", null, "dashscope", settings).baseUrl).toBe("http://127.0.0.1:4010/api/v1");
  });
});

describe("other providers", () => {
  it("openai-compatible is OpenAI unless the environment or the configuration says otherwise", () => {
    expect(resolve("openai-compatible")).toMatchObject({
      baseUrl: "https://api.openai.com/v1",
      apiKeyEnvNames: ["OPENAI_API_KEY"],
      keyRequired: true,
      vendor: "other",
      region: null,
    });
    const environment = { OPENAI_BASE_URL: "http://gpu-box:8000/v1/" };
    expect(resolve("openai-compatible", null, "openai", {}, environment)).toMatchObject({
      baseUrl: "http://gpu-box:8000/v1",
      keyRequired: false,
    });
    expect(problemOf(() => resolve("openai-compatible", null, "dashscope")).code).toBe(
      "protocol_not_supported",
    );
    expect(problemOf(() => resolve("openai-compatible", "singapore")).code).toBe("region_not_applicable");
  });

  it("a configured server gets only the key that it is configured with", () => {
    const settings = {
      local: { baseUrl: "http://127.0.0.1:8000/v1", apiKeyEnv: "VLLM_API_KEY" },
      remote: { baseUrl: "https://llm.example/v1/chat/completions", apiKeyEnv: "REMOTE_KEY" },
      open: { baseUrl: "https://open.example/v1" },
      gateway: { baseUrl: "https://gateway.example/api/v1", protocol: "dashscope" },
      beijing: { region: "beijing", apiKeyEnv: "SECOND_ACCOUNT" },
      studio: { baseUrl: "https://dashscope.aliyuncs.com/compatible-mode/v1" },
    } as const;
    const at = (name: string): Endpoint => resolve(name, null, "openai", settings);
    expect(at("local")).toMatchObject({ apiKeyEnvNames: ["VLLM_API_KEY"], keyRequired: false });
    expect(at("remote")).toMatchObject({
      apiKeyEnvNames: ["REMOTE_KEY"],
      keyRequired: true,
      baseUrl: "https://llm.example/v1",
    });
    expect(at("open")).toMatchObject({ apiKeyEnvNames: [], keyRequired: false });
    expect(at("gateway")).toMatchObject({
      apiKeyEnvNames: [],
      protocol: "dashscope",
      vendor: "model-studio",
    });
    expect(at("beijing")).toMatchObject({ region: "beijing", apiKeyEnvNames: ["SECOND_ACCOUNT"] });
    expect(at("studio")).toMatchObject({
      region: "beijing",
      apiKeyEnvNames: ["DASHSCOPE_API_KEY_BEIJING", "DASHSCOPE_API_KEY"],
    });
  });

  it("the simulator is where its variable says, on either protocol, without a key", () => {
    const environment = { PROMPTMILL_SIMULATOR_URL: "http://127.0.0.1:4010" };
    expect(resolve("simulator", "singapore", "dashscope", {}, environment)).toMatchObject({
      baseUrl: "http://127.0.0.1:4010/api/v1",
      keyRequired: false,
      vendor: "model-studio",
    });
    const batch = { PROMPTMILL_SIMULATOR_URL: "http://127.0.0.1:4010/batch/compatible-mode/v1" };
    expect(resolve("simulator", null, "openai", {}, batch).batchChat).toBe(true);
    expect(problemOf(() => resolve("simulator")).code).toBe("missing_simulator_url");
  });

  it("an unknown provider is refused with those that are known, also one named like an object's own", () => {
    expect(problemOf(() => resolve("olama", null, "openai", { ollama: {} })).message).toContain(
      "model-studio, openai-compatible, simulator, ollama",
    );
    expect(problemOf(() => resolve("constructor")).code).toBe("unknown_provider");
  });

  it.each(["ftp://host/v1", "not a url", "https://user:secret@host/v1"])("refuses base URL %s", (baseUrl) => {
    const problem = problemOf(() => resolve("x", null, "openai", { x: { baseUrl } }));
    expect(problem.code).toBe("invalid_base_url");
    expect(problem.message).not.toContain("secret");
  });

  it("shows no query, which may hold a key", () => {
    const endpoint = resolve("x", null, "openai", { x: { baseUrl: "https://host/v1?api-key=secret" } });
    expect(endpoint.displayUrl).toBe("https://host/v1");
    expect(endpoint.baseUrl).toBe("https://host/v1?api-key=secret");
  });
});

describe("the key", () => {
  const endpoint = resolve("model-studio", "beijing");

  it("of the region comes before the general one, trimmed", () => {
    expect(
      readApiKey(endpoint, { DASHSCOPE_API_KEY: "sk-general", DASHSCOPE_API_KEY_BEIJING: " sk-beijing\n" }),
    ).toBe("sk-beijing");
    expect(readApiKey(endpoint, { DASHSCOPE_API_KEY: "sk-general", DASHSCOPE_API_KEY_BEIJING: "" })).toBe(
      "sk-general",
    );
  });

  it("is asked for by name when it is missing and needed", () => {
    const problem = problemOf(() => readApiKey(endpoint, {}));
    expect(problem.message).toContain("DASHSCOPE_API_KEY_BEIJING or DASHSCOPE_API_KEY");
    expect(problem.hint).toContain("export DASHSCOPE_API_KEY_BEIJING=");
    const local = resolve(
      "openai-compatible",
      null,
      "openai",
      {},
      { OPENAI_BASE_URL: "http://localhost:1/v1" },
    );
    expect(readApiKey(local, {})).toBeNull();
  });

  it("with line breaks or quotes inside is refused without being shown", () => {
    const problem = problemOf(() => readApiKey(endpoint, { DASHSCOPE_API_KEY: "sk-one\nsk-two" }));
    expect(problem.code).toBe("invalid_api_key_format");
    expect(problem.message).not.toContain("sk-one");
  });
});
