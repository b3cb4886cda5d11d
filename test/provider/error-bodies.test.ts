import { describe, expect, it } from "vitest";
import type { ProviderError } from "../../src/provider/index.js";
import { json, text } from "./model-server.js";
import {
  ask,
  closeAfterEach,
  failureOf,
  KEY,
  plainAt,
  providerAt,
  startServer,
  studioAt,
  within,
} from "./providers.js";

closeAfterEach();

/** The failure of the first call ever made to a server that answers so. */
async function failureOn(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<ProviderError> {
  const server = await startServer();
  server.respond = typeof body === "string" ? text(status, body, headers) : json(status, body, headers);
  return failureOf(providerAt(plainAt(server.url)).call(ask("Hi", {}, "some-model"), within()));
}

describe("an error under HTTP 200", () => {
  it.each<[string, unknown, object]>([
    ["a word", { error: "queue is full" }, { disposition: "retryable", code: "error_body" }],
    [
      "an object",
      { error: { message: "queue is full", type: "overloaded_error" } },
      { code: "overloaded_error" },
    ],
    [
      "a list",
      [{ error: { code: 429, message: "slow down", status: "RESOURCE_EXHAUSTED" } }],
      { disposition: "throttled", code: "RESOURCE_EXHAUSTED" },
    ],
    [
      "a list inside",
      { success: false, errors: [{ code: 7003, message: "no such route" }] },
      { code: "7003" },
    ],
    [
      "an error object",
      { object: "error", message: "slow down", code: 429 },
      { disposition: "throttled", httpStatus: 429 },
    ],
    ["a code outside", { code: "429", msg: "slow down" }, { disposition: "throttled" }],
    ["a code beside a word", { error: "slow down", status_code: 429 }, { disposition: "throttled" }],
    [
      "a code in words inside",
      { error: { code: "InvalidParameter", message: "top_p" } },
      { disposition: "row", code: "InvalidParameter" },
    ],
    ["a code of the vendor's own", { code: 20015, message: "seed must be a number" }, { code: "20015" }],
    [
      "MiniMax's form",
      { base_resp: { status_code: 1002, status_msg: "rate limit" }, choices: null },
      { code: "1002" },
    ],
    ["Baidu's form", { error_code: 336003, error_msg: "messages must be odd" }, { code: "336003" }],
    ["FastAPI's form", { detail: "model is loading" }, { disposition: "retryable" }],
    [
      "a key that is refused",
      { error: { code: 401, message: "bad key" } },
      { disposition: "run", httpStatus: 401 },
    ],
    [
      "an account that is empty",
      { error: "Insufficient balance on your account", code: 402 },
      { disposition: "run" },
    ],
    [
      "a request too long",
      { error: { code: "400", message: "max context is 4096" } },
      { disposition: "row", httpStatus: 400 },
    ],
  ])("is one, and not billed: %s", async (_what, body, expected) => {
    const failure = await failureOn(200, body);
    expect(failure).toMatchObject({ ...expected, usage: null, mayHaveBeenBilled: false });
  });

  it("keeps what it says was used", async () => {
    const usage = { prompt_tokens: 12, completion_tokens: 0, total_tokens: 12 };
    expect((await failureOn(200, { error: "the model crashed", usage })).usage).toMatchObject({
      inputTokens: 12,
    });
  });

  it.each<[string, unknown]>([
    ["a code that says all is well", { code: 0, msg: "success", data: null }],
    ["a null error", { id: "x", error: null }],
    ["an empty one", { id: "x", error: {} }],
    ["a type alone", { type: "message", id: "x" }],
  ])("is not seen in %s", async (_what, body) => {
    expect(await failureOn(200, body)).toMatchObject({ code: "bad_response", mayHaveBeenBilled: true });
  });

  it("does not stand in the way of an answer that says all is well", async () => {
    const server = await startServer();
    server.respond = json(200, {
      choices: [{ message: { content: "ok" }, finish_reason: "stop", error: null }],
      error: null,
      base_resp: { status_code: 0, status_msg: "success" },
      code: 200,
    });
    await expect(providerAt(plainAt(server.url)).call(ask("Hi"), within())).resolves.toMatchObject({
      text: "ok",
    });
  });
});

describe("a server that is not there", () => {
  it.each<[string, number, unknown]>([
    ["LM Studio", 200, { error: "Unexpected endpoint or method. (POST /chat/completions)" }],
    [
      "OpenAI",
      404,
      { error: { message: "Invalid URL (POST /v1/v1/chat/completions)", type: "invalid_request_error" } },
    ],
    ["FastAPI", 404, { detail: "Not Found" }],
    ["Go", 404, "404 page not found\n"],
    ["Express", 404, "<!DOCTYPE html>\n<html><body><pre>Cannot POST /chat/completions</pre></body></html>"],
    ["nginx", 405, "<html>\r\n<head><title>405 Not Allowed</title></head></html>"],
    ["Kong", 404, { message: "no Route matched with those values" }],
    [
      "Fastify",
      404,
      { statusCode: 404, error: "Not Found", message: "Route POST:/chat/completions not found" },
    ],
  ])("ends the run with a word on the base URL: %s", async (_who, status, body) => {
    const failure = await failureOn(status, body);
    expect(failure).toMatchObject({ disposition: "run", mayHaveBeenBilled: false });
    expect(failure.hint).toMatch(/base URL.*\/v1/);
  });

  it("may be a page under 200: named, asked about, and not billed", async () => {
    const page = "<!doctype html><html><head><title>Chat  UI\u001b[2J</title></head></html>";
    const failure = await failureOn(200, page, { "content-type": "text/html" });
    expect(failure).toMatchObject({
      disposition: "retryable",
      code: "malformed_json",
      mayHaveBeenBilled: false,
    });
    expect(failure.message).toContain('a web page, "Chat UI\ufffd[2J", not JSON');
    expect(failure.message).toContain("the right base URL?");
  });
});

describe("a model that is not known", () => {
  it.each<[string, number, unknown]>([
    [
      "DeepSeek",
      400,
      { error: { message: "Model Not Exist", type: "invalid_request_error", code: "invalid_request_error" } },
    ],
    ["OpenRouter", 400, { error: { message: "a/b.c is not a valid model ID", code: 400 } }],
    ["Mistral", 400, { object: "error", message: "Invalid model: x", type: "invalid_model", code: "1500" }],
    ["LiteLLM", 400, { error: { message: "Invalid model name passed in model=x", code: "400" } }],
    ["GLM", 400, { error: { code: "1211", message: "模型不存在，请检查模型代码。" } }],
    ["SiliconFlow", 400, { code: 20012, message: "Model does not exist. Please check it carefully." }],
    [
      "Hugging Face",
      400,
      { error: { message: "The requested model 'x/y-2.5' is not supported by any provider" } },
    ],
    ["vLLM under 200", 200, { object: "error", message: "The model `x-1.5` does not exist.", code: 404 }],
    ["Ollama", 404, { error: { message: 'model "x" not found, try pulling it first' } }],
    ["DashScope", 400, { code: "InvalidParameter", message: "Model not exist." }],
    [
      "Groq",
      400,
      { error: { message: "The model `x` has been decommissioned", code: "model_decommissioned" } },
    ],
  ])("ends the run whatever status says so: %s", async (_who, status, body) => {
    const failure = await failureOn(status, body);
    expect(failure).toMatchObject({ disposition: "run", mayHaveBeenBilled: false });
    expect(failure.message).toContain("does not know model some-model");
    expect(failure.hint).toContain("spelling");
  });

  it.each([
    "The image at https://a.example/model.png could not be read",
    "The model could not read the picture. The file does not exist",
    "temperature is not supported with this model",
    "invalid model input: the picture is too small",
  ])("is not what a request is refused for: %s", async (message) => {
    expect(await failureOn(400, { error: { message } })).toMatchObject({ disposition: "row" });
  });
});

describe("a moderator", () => {
  it.each<[string, number, unknown]>([
    [
      "OpenRouter",
      403,
      { error: { code: 403, message: "Refused", metadata: { reasons: ["hate"], flagged_input: "x" } } },
    ],
    [
      "xAI",
      403,
      { code: "forbidden", error: "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_X" },
    ],
    [
      "OpenAI",
      400,
      {
        error: {
          code: "invalid_prompt",
          message: "Your prompt was flagged as potentially violating our usage policy",
        },
      },
    ],
    [
      "Azure",
      400,
      {
        error: {
          code: "content_filter",
          message: "filtered",
          innererror: { code: "ResponsibleAIPolicyViolation" },
        },
      },
    ],
    ["DeepSeek", 400, { error: { message: "Content Exists Risk", type: "invalid_request_error" } }],
    ["Moonshot", 400, { error: { message: "The request was rejected because it was considered high risk" } }],
    ["StepFun", 451, { error: { message: "blocked", type: "censorship_blocked" } }],
    ["an unknown one", 451, "no"],
    [
      "one behind a gateway",
      403,
      {
        error: {
          message: "Provider returned error",
          metadata: { raw: '{"detail":"input flagged by moderation"}' },
        },
      },
    ],
    ["one under 200", 200, { error: { message: "the messages were flagged for violence", code: 403 } }],
  ])("refuses the row, not the run: %s", async (_who, status, body) => {
    expect(await failureOn(status, body)).toMatchObject({ disposition: "row", kind: "content_filter" });
  });

  it("is not meant where an account was closed", async () => {
    const message = "Your account was suspended for violating our usage policies";
    expect(await failureOn(403, { error: { message } })).toMatchObject({ disposition: "run" });
  });
});

describe("what a server says", () => {
  it.each(["openai", "dashscope"] as const)("never reaches a terminal as it is: %s", async (protocol) => {
    const server = await startServer();
    const evil = `\u001b]0;owned\u0007\u001b[2J\u009b1m\u202e${KEY}\r\nline`;
    const clean = /^[^\p{Cc}\u2028-\u202e\u2066-\u2069]*$/u;
    for (const status of [200, 401, 403, 404, 429, 500]) {
      for (const body of [
        { error: { message: evil, code: evil, type: evil }, request_id: evil },
        { code: evil, message: evil, id: evil },
      ]) {
        server.respond = json(status, body, { "x-request-id": "r1" });
        const failure = await failureOf(providerAt(studioAt(server.url, protocol)).call(ask("Hi"), within()));
        const shown = `${failure.message} ${failure.hint} ${failure.code} ${failure.requestId}`;
        expect(shown).toMatch(clean);
        expect(shown).not.toContain(KEY);
        expect(failure.message).toContain("owned");
      }
    }
  });

  it("is searched for no longer than its beginning", async () => {
    const failure = await failureOn(400, { error: { message: `download ${"x download ".repeat(500_000)}` } });
    expect(failure).toMatchObject({ disposition: "row" });
  });
});
