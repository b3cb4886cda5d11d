import { getEventListeners, once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { OVERVIEW_DASHSCOPE, OVERVIEW_OPENAI } from "./documented.js";
import { events, inTurn, json, text } from "./model-server.js";
import {
  ask,
  deferred,
  closeAfterEach,
  failureOf,
  providerAt,
  startServer,
  studioAt,
  toClose,
  within,
} from "./providers.js";

closeAfterEach();

const silent = (): void => undefined;

describe("time", () => {
  it("a call that is not answered in total time fails as a timeout and gives its connection up", async () => {
    const server = await startServer();
    let closed: Promise<unknown> | undefined;
    server.respond = (_call, response) => {
      closed = once(response, "close");
    };
    const provider = providerAt(studioAt(server.url), { connections: 1 });
    const failure = await failureOf(provider.call(ask("Hi"), within(50)));
    expect(failure).toMatchObject({
      disposition: "retryable",
      kind: "timeout",
      code: "timeout",
      httpStatus: null,
    });
    expect(failure.message).toContain("no answer within 50 ms");
    await closed;
    server.respond = json(200, OVERVIEW_OPENAI);
    await expect(provider.call(ask("Hi"), within())).resolves.toMatchObject({ finishReason: "stop" });
  });

  it("a body that trickles without end fails by the total time too", async () => {
    const server = await startServer();
    server.respond = (_call, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const trickle = setInterval(() => response.write(" "), 10);
      response.on("close", () => clearInterval(trickle));
    };
    const failure = await failureOf(providerAt(studioAt(server.url)).call(ask("Hi"), within(100)));
    expect(failure).toMatchObject({ kind: "timeout" });
  });

  it("a stream is timed by its silence, not in total", async () => {
    const server = await startServer();
    server.respond = (_call, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      let sent = 0;
      const trickle = setInterval(() => {
        sent += 1;
        const last = sent === 12;
        response.write(
          `data: ${JSON.stringify({ choices: [{ delta: { content: "." }, finish_reason: last ? "stop" : null }] })}\n\n`,
        );
        if (last) response.end("data: [DONE]\n\n");
      }, 50);
      response.on("close", () => clearInterval(trickle));
    };
    // 600 ms of stream under a limit of 400 ms between chunks.
    const answer = await providerAt(studioAt(server.url)).call(
      ask("Hi", { enableThinking: true }),
      within(400),
    );
    expect(answer.text).toBe("............");
  });

  it("a stream that falls silent fails with the usage it had been billed", async () => {
    const server = await startServer();
    server.respond = (_call, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(
        'id:1\nevent:result\ndata:{"output":{"choices":[{"finish_reason":"null","message":{"content":"A"}}]},"usage":{"input_tokens":5,"output_tokens":1}}\n\n',
      );
    };
    const provider = providerAt(studioAt(server.url, "dashscope"));
    const failure = await failureOf(provider.call(ask("Hi", { enableThinking: true }), within(100)));
    expect(failure).toMatchObject({
      kind: "timeout",
      usage: { inputTokens: 5, outputTokens: 1, thinking: true },
    });
  });
});

describe("abort", () => {
  it("rejects with the signal's reason at once and destroys the socket", async () => {
    const server = await startServer();
    const arrived = deferred();
    const closed = deferred();
    server.respond = (_call, response) => {
      response.on("close", closed.resolve);
      arrived.resolve();
    };
    const controller = new AbortController();
    const reason = new Error("shutting down");
    const call = providerAt(studioAt(server.url)).call(ask("Hi"), within(60_000, controller.signal));
    const rejected = expect(call).rejects.toBe(reason);
    await arrived.promise;
    controller.abort(reason);
    await rejected;
    await closed.promise;
  });

  it("rejects while the call still waits for a connection, and before it is made", async () => {
    const server = await startServer();
    const arrived = deferred();
    server.respond = () => arrived.resolve();
    const provider = providerAt(studioAt(server.url), { connections: 1 });
    const first = provider.call(ask("one"), within(60_000)).catch((error: unknown) => error);
    await arrived.promise;
    const controller = new AbortController();
    const queued = provider.call(ask("two"), within(60_000, controller.signal));
    controller.abort("stop");
    await expect(queued).rejects.toBe("stop");
    await expect(provider.call(ask("three"), within(60_000, controller.signal))).rejects.toBe("stop");
    await provider.close();
    expect(await first).toMatchObject({ disposition: "retryable", code: "provider_closed" });
    expect(server.received).toHaveLength(1);
  });

  it("a call that ended leaves nothing on the signal", async () => {
    const server = await startServer();
    const { signal } = new AbortController();
    const provider = providerAt(studioAt(server.url));
    server.respond = inTurn(json(200, OVERVIEW_OPENAI), json(500, {}), (_call, response) =>
      response.destroy(),
    );
    await provider.call(ask("one"), within(60_000, signal));
    await failureOf(provider.call(ask("two"), within(60_000, signal)));
    await failureOf(provider.call(ask("three"), within(60_000, signal)));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("ends every call under one signal, which carries one listener for all", async () => {
    const server = await startServer();
    const all = deferred();
    server.respond = () => {
      if (server.received.length === 8) all.resolve();
    };
    const controller = new AbortController();
    const provider = providerAt(studioAt(server.url), { connections: 8 });
    const calls = Array.from({ length: 8 }, (_, index) =>
      provider.call(ask(String(index)), within(60_000, controller.signal)),
    );
    const settled = Promise.allSettled(calls);
    await all.promise;
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    controller.abort();
    for (const each of await settled) {
      expect(each).toMatchObject({ status: "rejected", reason: controller.signal.reason as unknown });
    }
  });
});

describe("network", () => {
  it("a refused connection is worth another attempt", async () => {
    const server = await startServer();
    const { url } = server;
    await server.stop();
    const failure = await failureOf(providerAt(studioAt(url)).call(ask("Hi"), within()));
    expect(failure).toMatchObject({ disposition: "retryable", kind: "network", code: "connection_refused" });
  });

  it("so is a reset, with or without half an answer", async () => {
    const server = await startServer();
    server.respond = inTurn(
      (_call, response) => response.destroy(),
      (_call, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "500" });
        response.write('{"choices":', () => response.destroy());
      },
    );
    const provider = providerAt(studioAt(server.url));
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const failure = await failureOf(provider.call(ask("Hi"), within()));
      expect(failure).toMatchObject({ disposition: "retryable", kind: "network", code: "connection_reset" });
    }
  });

  it("an unknown host is named", async () => {
    const failure = await failureOf(
      providerAt(studioAt("http://promptmill.invalid")).call(ask("Hi"), within()),
    );
    expect(failure).toMatchObject({ disposition: "retryable", kind: "network", code: "host_not_found" });
    expect(failure.message).toContain("promptmill.invalid");
  });

  it.each([
    ["TLS spoken to a plain server", "https", "HTTP/1.1 400 Bad Request\r\n\r\n", "tls_error", "network"],
    ["something that is not HTTP", "http", "220 smtp.example ESMTP\r\n", "invalid_http", "bad_response"],
  ])("%s is retryable with a clear code", async (_what, scheme, greeting, code, kind) => {
    const listener = createServer((socket) => {
      socket.on("error", silent);
      socket.once("data", () => socket.end(greeting, () => socket.destroySoon()));
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    toClose({ close: () => new Promise<void>((resolve) => listener.close(() => resolve())) });
    const { port } = listener.address() as AddressInfo;
    const failure = await failureOf(
      providerAt(studioAt(`${scheme}://127.0.0.1:${port}`)).call(ask("Hi"), within()),
    );
    expect(failure).toMatchObject({ disposition: "retryable", kind, code });
  });

  it.each([
    ["announced", { "content-length": "100000" }],
    ["unannounced", {}],
  ])("a body above the limit is not taken in: %s", async (_how, headers) => {
    const server = await startServer();
    server.respond = text(200, "x".repeat(100_000), headers as Record<string, string>);
    const provider = providerAt(studioAt(server.url), { maxResponseBytes: 50_000 });
    const failure = await failureOf(provider.call(ask("Hi"), within()));
    expect(failure).toMatchObject({
      disposition: "retryable",
      kind: "bad_response",
      code: "response_too_large",
    });
  });

  it("a stream above the limit is not taken in either", async () => {
    const server = await startServer();
    server.respond = events(
      `data: ${JSON.stringify({ choices: [{ delta: { content: "x".repeat(1000) } }] })}\n\n`.repeat(100),
    );
    const provider = providerAt(studioAt(server.url), { maxResponseBytes: 50_000 });
    const failure = await failureOf(provider.call(ask("Hi", { enableThinking: true }), within()));
    expect(failure.code).toBe("response_too_large");
  });
});

describe("what refusals teach", () => {
  const urlError = { code: "InvalidParameter", message: "url error, please check url!", request_id: "u1" };

  it("a url error is answered by one call of the other native family, remembered for the model", async () => {
    const server = await startServer();
    server.respond = (call, response) =>
      (call.path.includes("multimodal") ? json(200, OVERVIEW_DASHSCOPE) : json(400, urlError))(
        call,
        response,
      );
    const provider = providerAt(studioAt(server.url, "dashscope"));
    const request = ask("Hi", {}, "qwen9-plus");
    await provider.call(request, within());
    await provider.call(request, within());
    expect(server.received.map((call) => call.path.split("/").at(-2))).toStrictEqual([
      "text-generation",
      "multimodal-generation",
      "multimodal-generation",
    ]);
    expect(server.last.body["input"]).toStrictEqual({
      messages: [{ role: "user", content: [{ text: "Hi" }] }],
    });
  });

  it("a url error of both families fails the row after two calls", async () => {
    const server = await startServer();
    server.respond = json(400, urlError);
    const failure = await failureOf(providerAt(studioAt(server.url, "dashscope")).call(ask("Hi"), within()));
    expect(failure).toMatchObject({ disposition: "row", httpStatus: 400 });
    expect(server.received).toHaveLength(2);
  });

  it.each([
    "This model only support stream mode, please enable the stream parameter to access the model. ",
    "current user api does not support http call",
    "parameter.enable_thinking must be set to false for non-streaming calls",
  ])("a model that wants to be streamed is, from then on: %s", async (message) => {
    const server = await startServer();
    server.respond = (call, response) =>
      (call.body["stream"] === true
        ? events('data: {"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
        : json(400, { error: { message, code: "invalid_parameter_error" } }))(call, response);
    const provider = providerAt(studioAt(server.url));
    await expect(provider.call(ask("Hi", {}, "new-model"), within())).resolves.toMatchObject({ text: "ok" });
    await provider.call(ask("Hi", {}, "new-model"), within());
    expect(server.received.map((call) => call.body["stream"])).toStrictEqual([undefined, true, true]);
  });

  it("after RequestTimeOut the model's next attempts are streamed", async () => {
    const server = await startServer();
    server.respond = inTurn(
      json(500, { code: "RequestTimeOut", message: "Request timed out" }),
      json(200, OVERVIEW_OPENAI),
    );
    const provider = providerAt(studioAt(server.url));
    expect(await failureOf(provider.call(ask("Hi"), within()))).toMatchObject({ kind: "timeout" });
    expect(server.received).toHaveLength(1);
    await provider.call(ask("Hi"), within());
    expect(server.last.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  });
});
