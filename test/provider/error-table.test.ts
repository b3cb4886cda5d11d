import { describe, expect, it } from "vitest";
import { classifyError } from "../../src/provider/errors/classify-error.js";
import { ERROR_RULES } from "../../src/provider/errors/error-table.js";
import type { Disposition } from "../../src/provider/index.js";
import type { RowErrorKind } from "../../src/types.js";
import { inTurn, json, text } from "./model-server.js";
import { OVERVIEW_OPENAI } from "./documented.js";
import {
  ask,
  closeAfterEach,
  failureOf,
  KEY,
  plainAt,
  providerAt,
  startServer,
  studioAt,
  toClose,
  within,
} from "./providers.js";
import type { ModelServer } from "./model-server.js";
import type { Endpoint, Provider, ProviderLogEvent } from "../../src/provider/index.js";

closeAfterEach();

type Row = readonly [number, string, string, Disposition, RowErrorKind];

/** The error messages page of Model Studio, row by row: status, code, message, and what it means to us. */
const TABLE: readonly Row[] = [
  // Retry with patience.
  [429, "Throttling", "Requests throttling triggered.", "throttled", "throttled"],
  [
    429,
    "Throttling.RateQuota",
    "Requests rate limit exceeded, please try again later.",
    "throttled",
    "throttled",
  ],
  [429, "LimitRequests", "You exceeded your current requests list.", "throttled", "throttled"],
  [429, "limit_requests", "You exceeded your current requests list.", "throttled", "throttled"],
  [429, "Throttling.BurstRate", "Request rate increased too quickly.", "throttled", "throttled"],
  [429, "limit_burst_rate", "Request rate increased too quickly.", "throttled", "throttled"],
  [
    429,
    "Throttling.AllocationQuota",
    "Allocated quota exceeded, please increase your quota limit.",
    "throttled",
    "throttled",
  ],
  [
    429,
    "insufficient_quota",
    "You exceeded your current quota, please check your plan and billing details.",
    "throttled",
    "throttled",
  ],
  [
    429,
    "insufficient_quota",
    "Allocated quota exceeded, please increase your quota limit.",
    "throttled",
    "throttled",
  ],
  [
    500,
    "InternalError",
    "An internal error has occured, please try again later or contact service support.",
    "retryable",
    "server",
  ],
  [
    500,
    "InternalError.Algo",
    "An internal error has occured during execution, please try again later.",
    "retryable",
    "server",
  ],
  [500, "SystemError", "An system error has occured, please try again later.", "retryable", "server"],
  [500, "ModelServiceFailed", "Failed to request model service.", "retryable", "server"],
  [
    500,
    "ModelServingError",
    "Too many requests. Your requests are being throttled due to system capacity limits.",
    "retryable",
    "server",
  ],
  [
    503,
    "ModelServingError",
    "Too many requests. Your requests are being throttled due to system capacity limits.",
    "retryable",
    "server",
  ],
  [503, "ModelUnavailable", "Model is unavailable, please try again later.", "retryable", "server"],
  [408, "RequestTimeOut", "Request timed out, please try again later.", "retryable", "timeout"],
  [500, "RequestTimeOut", "Request timed out, please try again later.", "retryable", "timeout"],

  // Permanent for the row.
  [400, "InvalidParameter", "Range of input length should be [1, 129024]", "row", "invalid_request"],
  [400, "invalid_parameter_error", "Range of input length should be [1, 129024]", "row", "invalid_request"],
  [
    400,
    "invalid_parameter_error",
    "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]",
    "row",
    "invalid_request",
  ],
  [
    500,
    "InternalError.Algo.InvalidParameter",
    "Temperature should be in (0.0, 2.0)",
    "row",
    "invalid_request",
  ],
  [
    400,
    "DataInspectionFailed",
    "Input or output data may contain inappropriate content.",
    "row",
    "content_filter",
  ],
  [400, "data_inspection_failed", "Input data may contain inappropriate content.", "row", "content_filter"],
  [400, "data_inspection_failed", "Output data may contain inappropriate content.", "row", "content_filter"],
  [
    500,
    "internal_error",
    "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content.",
    "row",
    "content_filter",
  ],
  [
    400,
    "IPInfringementSuspect",
    "Input data is suspected of being involved in IP infringement.",
    "row",
    "content_filter",
  ],
  [400, "FaqRuleBlocked", "Input or output data is blocked by faq rule.", "row", "content_filter"],
  [
    400,
    "CustomRoleBlocked",
    "Input or output data may contain inappropriate content with custom rule.",
    "row",
    "content_filter",
  ],
  [400, "InvalidURL", "Invalid URL provided in your request.", "row", "invalid_request"],
  [
    400,
    "InvalidURL.ConnectionRefused",
    "Connection to the URL refused, please provide available URL",
    "row",
    "invalid_request",
  ],
  [400, "InvalidFile.Format", "Invalid file format.", "row", "invalid_request"],
  [400, "BadRequest.EmptyInput", "Required input parameter missing from request.", "row", "invalid_request"],
  [400, "BadRequest.TooLarge", "Payload Too Large", "row", "invalid_request"],
  [
    400,
    "ServiceUnavailableError",
    "Role must be user or assistant and Content length must be greater than 0",
    "row",
    "invalid_request",
  ],

  // Permanent for the row despite the 500.
  [500, "InternalError.Algo", "Role must be in [user, assistant]", "row", "invalid_request"],
  [500, "InternalError.Algo", "list index out of range", "row", "invalid_request"],
  [500, "InternalError.Algo", "Missing Content-Length of multimodal url", "row", "invalid_request"],

  // Worth a few more attempts.
  [400, "InvalidURL.Timeout", "Download the media resource timed out.", "retryable", "timeout"],
  [
    400,
    "InvalidParameter.DataInspection",
    "Unable to download the media resource during the data inspection process.",
    "retryable",
    "timeout",
  ],
  [400, "InvalidParameter", "Download multimodal file timed out", "retryable", "timeout"],
  [
    400,
    "invalid_parameter_error",
    "File parsing in progress, please try again later.",
    "retryable",
    "timeout",
  ],

  // Fatal for the run.
  [401, "InvalidApiKey", "Invalid API-key provided.", "run", "invalid_request"],
  [401, "invalid_api_key", "Incorrect API key provided. ", "run", "invalid_request"],
  [
    401,
    "NOT AUTHORIZED",
    "Access denied: Either you are not authorized to access this workspace.",
    "run",
    "invalid_request",
  ],
  [401, "invalid_request_error", "invalid access token or token expired", "run", "invalid_request"],
  [
    400,
    "Arrearage",
    "Access denied, please make sure your account is in good standing.",
    "run",
    "invalid_request",
  ],
  [403, "AccessDenied", "Access denied.", "run", "invalid_request"],
  [
    403,
    "AccessDenied.Unpurchased",
    "Access to model denied. Please make sure you are eligible for using the model.",
    "run",
    "invalid_request",
  ],
  [403, "Model.AccessDenied", "Model access denied.", "run", "invalid_request"],
  [403, "Workspace.AccessDenied", "Workspace access denied.", "run", "invalid_request"],
  [403, "AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted.", "run", "throttled"],
  [404, "ModelNotFound", "Model can not be found.", "run", "invalid_request"],
  [
    404,
    "model_not_found",
    "The model `qwen-x` does not exist or you do not have access to it.",
    "run",
    "invalid_request",
  ],
  [
    404,
    "model_not_supported",
    "Unsupported model `qwen-x` for OpenAI compatibility mode.",
    "run",
    "invalid_request",
  ],
  [404, "WorkSpaceNotFound", "WorkSpace can not be found.", "run", "invalid_request"],
  [429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", "run", "throttled"],
  [429, "insufficient_quota", "Free allocated quota exceeded.", "run", "throttled"],
  [429, "CommodityNotPurchased", "Commodity has not purchased yet.", "run", "invalid_request"],
  [429, "PrepaidBillOverdue", "The prepaid bill is overdue.", "run", "invalid_request"],
  [429, "PostpaidBillOverdue", "The postpaid bill is overdue.", "run", "invalid_request"],
];

const compatible = (code: string, message: string): unknown => ({
  error: { message, type: code, param: null, code },
  id: "chatcmpl-e1",
  request_id: "e1",
});
const native = (code: string, message: string): unknown => ({ code, message, request_id: "e1" });

describe.each(["openai", "dashscope"] as const)("the error table on the %s protocol", (protocol) => {
  it.each(TABLE)("%i %s: %s", async (status, code, message, disposition, kind) => {
    const server = await startServer();
    const provider = providerAt(studioAt(server.url, protocol));
    for (const shape of [compatible, native]) {
      server.respond = json(status, shape(code, message));
      const failure = await failureOf(provider.call(ask("Hi"), within()));
      expect(failure).toMatchObject({ disposition, kind, httpStatus: status, requestId: "e1" });
      expect(failure.code).not.toBe("");
    }
  });

  it.each(TABLE)(
    "in mid-stream after HTTP 200: %i %s: %s",
    async (status, code, message, disposition, kind) => {
      const server = await startServer();
      const chunk = {
        choices: [{ delta: { content: "Ha" }, finish_reason: null }],
        usage: { prompt_tokens: 8, completion_tokens: 1 },
      };
      const nativeChunk = {
        output: { choices: [{ finish_reason: "null", message: { content: "Ha" } }] },
        usage: { input_tokens: 8, output_tokens: 1 },
        request_id: "e1",
      };
      server.respond = text(
        200,
        protocol === "openai"
          ? `data: ${JSON.stringify(chunk)}\n\ndata: ${JSON.stringify(compatible(code, message))}\n\n`
          : `id:1\nevent:result\n:HTTP_STATUS/200\ndata:${JSON.stringify(nativeChunk)}\n\nid:2\nevent:error\n:HTTP_STATUS/${status}\ndata:${JSON.stringify(native(code, message))}\n\n`,
        { "content-type": "text/event-stream" },
      );
      const call = providerAt(studioAt(server.url, protocol)).call(
        ask("Hi", { enableThinking: true }),
        within(),
      );
      expect(await failureOf(call)).toMatchObject({
        disposition,
        kind,
        requestId: "e1",
        usage: { inputTokens: 8, outputTokens: 1, thinking: true },
      });
    },
  );

  it("reads a refused stream that is worded as an event under the refusal's status", async () => {
    const server = await startServer();
    const provider = providerAt(studioAt(server.url, protocol));
    for (const status of ["", ":HTTP_STATUS/429\n"]) {
      server.respond = text(
        429,
        `id:1\nevent:error\n${status}data:${JSON.stringify(native("PostpaidBillOverdue", "Overdue."))}\n\n`,
        {
          "content-type": "text/event-stream",
        },
      );
      const failure = await failureOf(provider.call(ask("Hi", { enableThinking: true }), within()));
      expect(failure).toMatchObject({
        disposition: "run",
        code: "PostpaidBillOverdue",
        httpStatus: 429,
        requestId: "e1",
      });
    }
  });

  it("reads an error that comes under HTTP 200", async () => {
    const server = await startServer();
    server.respond = json(200, native("InvalidParameter", "Bad top_p"));
    const failure = await failureOf(providerAt(studioAt(server.url, protocol)).call(ask("Hi"), within()));
    expect(failure).toMatchObject({ disposition: "row", code: "InvalidParameter" });
  });
});

describe("what the table does not know", () => {
  it.each([
    [400, "row", "invalid_request"],
    [401, "run", "invalid_request"],
    [402, "run", "invalid_request"],
    [403, "run", "invalid_request"],
    [404, "run", "invalid_request"],
    [408, "retryable", "timeout"],
    [409, "retryable", "server"],
    [413, "row", "invalid_request"],
    [418, "row", "invalid_request"],
    [422, "row", "invalid_request"],
    [429, "throttled", "throttled"],
    [500, "retryable", "server"],
    [502, "retryable", "server"],
    [503, "retryable", "server"],
    [504, "retryable", "timeout"],
    [529, "retryable", "server"],
    [307, "run", "invalid_request"],
  ] as const)("is judged by its status: %i", async (status, disposition, kind) => {
    const server = await startServer();
    server.respond = text(status, "<html>no</html>", {
      "content-type": "text/html",
      location: "https://elsewhere.example/",
    });
    const failure = await failureOf(providerAt(studioAt(server.url)).call(ask("Hi"), within()));
    expect(failure).toMatchObject({ disposition, kind, code: `http_${status}`, httpStatus: status });
  });

  it("is logged once per status and code, with its body, without the key", async () => {
    const server = await startServer();
    const events: ProviderLogEvent[] = [];
    const provider = providerAt(studioAt(server.url), { log: (event) => events.push(event) });
    const strange = json(418, { error: { code: "teapot", message: `short and stout ${KEY}` } });
    server.respond = inTurn(
      strange,
      strange,
      json(500, { code: "Kaputt", message: "x" }),
      json(429, compatible("limit_requests", "")),
    );
    for (let call = 0; call < 4; call += 1) await failureOf(provider.call(ask("Hi"), within()));
    expect(events.map((event) => event.event === "unknown_error" && event.code)).toStrictEqual([
      "teapot",
      "Kaputt",
    ]);
    expect(JSON.stringify(events)).toContain("short and stout sk-…cdef");
    expect(JSON.stringify(events)).not.toContain(KEY);
  });

  it("is read in the shapes of other servers", async () => {
    const server = await startServer();
    const provider = providerAt(plainAt(server.url));
    server.respond = json(400, { object: "error", message: "too long", type: "BadRequestError", code: 400 });
    expect(await failureOf(provider.call(ask("Hi"), within()))).toMatchObject({
      code: "BadRequestError",
      message: "too long",
    });
    server.respond = json(500, { error: "out of memory" });
    expect(await failureOf(provider.call(ask("Hi"), within()))).toMatchObject({
      code: "http_500",
      message: "out of memory",
    });
    server.respond = json(404, { detail: "Not Found" });
    expect(await failureOf(provider.call(ask("Hi"), within()))).toMatchObject({ disposition: "run" });
  });
});

describe("the same words at other vendors", () => {
  it("insufficient_quota ends the run at OpenAI and only throttles at Model Studio", () => {
    const error = {
      status: 429,
      code: "insufficient_quota",
      message: "You exceeded your current quota, please check your plan and billing details.",
      requestId: null,
    };
    expect(classifyError(error, "other")).toMatchObject({ disposition: "run", advice: "billing" });
    expect(classifyError(error, "model-studio")).toMatchObject({ disposition: "throttled" });
  });

  it("a single request above a minute's tokens fails the row instead of waiting for ever", () => {
    const message = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 60000.";
    const error = { status: 429, code: "rate_limit_exceeded", message, requestId: null };
    expect(classifyError(error, "other")).toMatchObject({ disposition: "row" });
  });

  it("every rule names its source and at least one condition", () => {
    for (const rule of ERROR_RULES) {
      expect(rule.source).not.toBe("");
      expect(rule.codes ?? rule.message).toBeDefined();
    }
  });
});

describe("messages", () => {
  async function refusedBy(respond: ModelServer["respond"], at: (url: string) => Endpoint = studioAt) {
    const server = await startServer();
    server.respond = respond;
    return failureOf(providerAt(at(server.url)).call(ask("Hi"), within()));
  }

  it("a 401 says which key, masked, for which region, and that keys differ by region", async () => {
    const failure = await refusedBy(
      json(401, compatible("invalid_api_key", `Incorrect API key provided: ${KEY}`)),
    );
    expect(failure.message).toContain("region singapore");
    expect(failure.message).toContain("sk-…cdef");
    expect(failure.message).toContain("DASHSCOPE_API_KEY_SINGAPORE or DASHSCOPE_API_KEY");
    expect(failure.hint).toContain("Keys differ by region");
    expect(failure.message + failure.hint).not.toContain(KEY);
  });

  it("a short key is masked whole and an echoed header is scrubbed", async () => {
    const server = await startServer();
    server.respond = json(
      401,
      compatible("invalid_api_key", "Header was Authorization: Bearer sk-short, key sk-short"),
    );
    const provider: Provider = providerAt(studioAt(server.url), { apiKey: "sk-short" });
    const failure = await failureOf(provider.call(ask("Hi"), within()));
    expect(`${failure.message} ${failure.hint}`).not.toContain("sk-short");
  });

  it("a refused content check says whose check it was", async () => {
    const failure = await refusedBy(
      json(400, compatible("data_inspection_failed", "Input data may contain inappropriate content.")),
    );
    expect(failure.message).toMatch(
      /^the provider's content check refused the input or the output: Input data/,
    );
  });

  it("a 404 names the model, arrears the account, a Coding Plan key its plan", async () => {
    expect(
      (await refusedBy(json(404, native("ModelNotFound", "Model can not be found.")))).message,
    ).toContain("qwen-plus");
    expect((await refusedBy(json(400, native("Arrearage", "Access denied.")))).hint).toContain("balance");
    const server = await startServer();
    server.respond = json(401, native("InvalidApiKey", "Invalid API-key provided."));
    const provider = providerAt(studioAt(server.url), { apiKey: "sk-sp-0123456789abcdef" });
    expect((await failureOf(provider.call(ask("Hi"), within()))).hint).toContain("Coding Plan");
  });

  it("are capped and on one line, however long the server's are", async () => {
    const failure = await refusedBy(json(500, native("InternalError", "line\n".repeat(10_000))));
    expect(failure.message.length).toBeLessThanOrEqual(500);
    expect(failure.message).not.toContain("\n");
  });

  it.each([
    [{ "retry-after": "7" }, 7000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "30", "retry-after-ms": "250" }, 250],
    [{ "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }, 0],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after": "-5" }, null],
    [{}, null],
  ])("carry the server's own wish to wait: %j", async (headers, retryAfterMs) => {
    const failure = await refusedBy(
      json(429, compatible("limit_requests", "x"), headers as Record<string, string>),
    );
    expect(failure.retryAfterMs).toBe(retryAfterMs);
  });

  it("a later date in Retry-After is milliseconds from now", async () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    const failure = await refusedBy(json(503, native("ModelUnavailable", "x"), { "retry-after": date }));
    expect(failure.retryAfterMs).toBeGreaterThan(50_000);
    expect(failure.retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it("connections are used again after errors", async () => {
    const server = await startServer();
    const provider = toClose(providerAt(studioAt(server.url), { connections: 1 }));
    server.respond = inTurn(json(500, native("InternalError", "x")), json(200, OVERVIEW_OPENAI));
    await failureOf(provider.call(ask("Hi"), within()));
    await expect(provider.call(ask("Hi"), within())).resolves.toMatchObject({ finishReason: "stop" });
  });
});
