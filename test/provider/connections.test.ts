import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { proxyFor } from "../../src/provider/http/proxy.js";
import type { ProviderError } from "../../src/provider/index.js";
import { bodyOf, OddServer, type OddRequest } from "./odd-server.js";
import {
  ask,
  closeAfterEach,
  deferred,
  failureOf,
  plainAt,
  providerAt,
  studioAt,
  toClose,
  within,
} from "./providers.js";

closeAfterEach();

const ANSWER = {
  body: bodyOf({
    text: "ok",
    finish: "stop",
    usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
  }),
};

describe("a connection that is used again", () => {
  it("and that the server closes before a byte costs nothing: the call is sent once more, and none is kept", async () => {
    const server = toClose(await OddServer.start());
    server.handle((connection) => {
      if (connection.requests > 1) connection.socket.end();
      else connection.reply(ANSWER);
    });
    const provider = providerAt(plainAt(server.url), { connections: 1 });
    for (let call = 0; call < 5; call += 1) {
      await expect(provider.call(ask(String(call)), within())).resolves.toMatchObject({ text: "ok" });
    }
    expect(server.requests.map((request) => request.headers["connection"])).toStrictEqual([
      "keep-alive",
      "keep-alive",
      ...Array<string>(4).fill("close"),
    ]);
    expect(server.connections).toBe(5);
  });

  it("is sent once more only once: a fresh connection that is closed may have been billed", async () => {
    const server = toClose(await OddServer.start());
    server.handle((connection) => {
      if (server.requests.length > 1) connection.socket.end();
      else connection.reply(ANSWER);
    });
    const provider = providerAt(plainAt(server.url), { connections: 1 });
    await provider.call(ask("one"), within());
    const failure = await failureOf(provider.call(ask("two"), within()));
    expect(failure).toMatchObject({ code: "connection_reset", mayHaveBeenBilled: true });
    expect(server.requests).toHaveLength(3);
  });

  it.each([
    ["a part of the answer came", "HTTP/1.1 200 Odd\r\nContent-Le"],
    ["the answer had begun", "HTTP/1.1 200 Odd\r\nContent-Length: 50\r\n\r\n{"],
  ])("may have been billed when %s", async (_what, begun) => {
    const server = toClose(await OddServer.start());
    server.handle((connection) => {
      if (connection.requests > 1) connection.socket.end(begun);
      else connection.reply(ANSWER);
    });
    const provider = providerAt(plainAt(server.url), { connections: 1 });
    await provider.call(ask("one"), within());
    expect((await failureOf(provider.call(ask("two"), within()))).mayHaveBeenBilled).toBe(true);
    expect(server.requests).toHaveLength(2);
  });

  it("and reset may have been billed: the server can have taken the call up", async () => {
    const server = toClose(await OddServer.start());
    server.handle((connection) => {
      if (connection.requests > 1) connection.socket.resetAndDestroy();
      else connection.reply(ANSWER);
    });
    const provider = providerAt(plainAt(server.url), { connections: 1 });
    await provider.call(ask("one"), within());
    const failure = await failureOf(provider.call(ask("two"), within()));
    expect(failure).toMatchObject({ code: "connection_reset", mayHaveBeenBilled: true });
  });

  it("is not where a server closes each after its answer: that is seen, and no more are kept", async () => {
    const server = toClose(await OddServer.start());
    server.handle((connection) => {
      connection.reply(ANSWER);
      connection.socket.end();
    });
    const provider = providerAt(plainAt(server.url), { connections: 4 });
    const failures: ProviderError[] = [];
    const caller = async (): Promise<void> => {
      for (let call = 0; call < 50; call += 1) {
        await provider.call(ask("Hi"), within()).catch((error: ProviderError) => failures.push(error));
      }
    };
    await Promise.all([caller(), caller(), caller(), caller()]);
    expect(failures).toStrictEqual([]);
    expect(server.requests.at(-1)?.headers["connection"]).toBe("close");
  });

  it("stays in use where it is kept", async () => {
    const server = toClose(await OddServer.start());
    server.answer(ANSWER);
    const provider = providerAt(plainAt(server.url), { connections: 1 });
    for (let call = 0; call < 20; call += 1) await provider.call(ask("Hi"), within());
    expect(server.connections).toBe(1);
  });
});

describe("a call that was never sent", () => {
  it("is not on a bill, though its time ran out in the queue", async () => {
    const server = toClose(await OddServer.start());
    const arrived = deferred();
    server.handle(() => arrived.resolve());
    const provider = providerAt(plainAt(server.url), { connections: 1 });
    const first = failureOf(provider.call(ask("one"), within(400)));
    await arrived.promise;
    const queued = await failureOf(provider.call(ask("two"), within(50)));
    expect(queued).toMatchObject({ kind: "timeout", mayHaveBeenBilled: false });
    expect(await first).toMatchObject({ kind: "timeout", mayHaveBeenBilled: true });
  });
});

describe("a proxy", () => {
  it("is asked for plain HTTP under the full URL, with its own user and password", async () => {
    const proxy = toClose(await OddServer.start());
    proxy.answer(ANSWER);
    const environment = { http_proxy: `http://me:p%40ss@127.0.0.1:${proxy.port}` };
    const provider = providerAt(plainAt("http://model.example:8080"), { environment });
    await expect(provider.call(ask("Hi"), within())).resolves.toMatchObject({ text: "ok" });
    const [request] = proxy.requests as [OddRequest];
    expect(request.target).toBe("http://model.example:8080/v1/chat/completions");
    expect(request.headers).toMatchObject({
      host: "model.example:8080",
      "proxy-authorization": `Basic ${Buffer.from("me:p@ss").toString("base64")}`,
      authorization: expect.stringContaining("Bearer sk-") as unknown,
    });
  });

  it("is asked for a tunnel to HTTPS, through which it sees nothing of the call", async () => {
    const seen: string[] = [];
    const firstInTunnel = deferred<Buffer>();
    const proxy = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (bytes) => {
        seen.push(bytes.toString("latin1"));
        socket.once("data", (inside) => {
          firstInTunnel.resolve(inside);
          socket.destroy();
        });
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    toClose({ close: () => new Promise<void>((resolve) => proxy.close(() => resolve())) });
    const environment = { HTTPS_PROXY: `127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    const provider = providerAt(studioAt("https://model.example"), { environment });
    const failure = await failureOf(provider.call(ask("Hi"), within()));
    expect(failure.mayHaveBeenBilled).toBe(false);
    expect(failure.message).toContain("by way of the proxy http://127.0.0.1:");
    expect(seen[0]).toMatch(/^CONNECT model\.example:443 HTTP\/1\.1\r\n/);
    expect(seen[0]).not.toContain("Bearer");
    expect((await firstInTunnel.promise)[0]).toBe(0x16); // a TLS handshake
  });

  it("that refuses is named, without its password, and nothing was sent", async () => {
    const proxy = toClose(await OddServer.start());
    proxy.answer({ status: 407, body: "", headers: { "Proxy-Authenticate": "Basic" } });
    const environment = {
      https_proxy: `http://me:secret@127.0.0.1:${proxy.port}`,
      HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
    };
    const tunnelled = await failureOf(
      providerAt(plainAt("https://model.example"), { environment }).call(ask("Hi"), within()),
    );
    expect(tunnelled).toMatchObject({
      disposition: "retryable",
      code: "proxy_refused",
      mayHaveBeenBilled: false,
    });
    expect(tunnelled.message).toContain("407");
    expect(tunnelled.message).not.toContain("secret");
    const plain = await failureOf(
      providerAt(plainAt("http://model.example"), { environment }).call(ask("Hi"), within()),
    );
    expect(plain).toMatchObject({ disposition: "run", httpStatus: 407 });
  });

  it.each<[string, string, Record<string, string>, string | null]>([
    [
      "by the variable of the scheme",
      "https://a.example",
      { HTTPS_PROXY: "http://p:1", HTTP_PROXY: "http://q:2" },
      "http://p:1",
    ],
    ["of the other scheme: none", "http://a.example", { HTTPS_PROXY: "http://p:1" }, null],
    [
      "lower case first",
      "http://a.example",
      { http_proxy: "http://p:1", HTTP_PROXY: "http://q:2" },
      "http://p:1",
    ],
    ["for all schemes", "https://a.example", { ALL_PROXY: "http://p:1" }, "http://p:1"],
    ["empty: none", "https://a.example", { HTTPS_PROXY: " " }, null],
    ["never for this machine", "http://127.0.0.1:8000", { HTTP_PROXY: "http://p:1" }, null],
    [
      "not for an exempt host",
      "https://a.example",
      { HTTPS_PROXY: "http://p:1", NO_PROXY: "b.example, a.example" },
      null,
    ],
    [
      "not for hosts of an exempt domain",
      "https://x.a.example",
      { HTTPS_PROXY: "http://p:1", no_proxy: ".a.example" },
      null,
    ],
    [
      "for a host that only ends alike",
      "https://xa.example",
      { HTTPS_PROXY: "http://p:1", NO_PROXY: "a.example" },
      "http://p:1",
    ],
    [
      "for another port than the exempt one",
      "https://a.example",
      { HTTPS_PROXY: "http://p:1", NO_PROXY: "a.example:8443" },
      "http://p:1",
    ],
    [
      "not for the exempt port",
      "https://a.example:8443",
      { HTTPS_PROXY: "http://p:1", NO_PROXY: "a.example:8443" },
      null,
    ],
    ["never with a star", "https://a.example", { HTTPS_PROXY: "http://p:1", NO_PROXY: "*" }, null],
  ])("is chosen %s", (_what, target, environment, expected) => {
    expect(proxyFor(new URL(target), environment)?.url.origin ?? null).toBe(expected);
  });

  it("of another kind is refused with the variables to set", () => {
    const choose = (): unknown => proxyFor(new URL("https://a.example"), { ALL_PROXY: "socks5://p:1080" });
    expect(choose).toThrow(expect.objectContaining({ code: "invalid_proxy" }) as Error);
  });
});

describe("the process's own variables", () => {
  afterEach(() => {
    delete process.env["HTTP_PROXY"];
  });

  it("are what is read where nothing else is given", async () => {
    const proxy = toClose(await OddServer.start());
    proxy.answer(ANSWER);
    process.env["HTTP_PROXY"] = `http://127.0.0.1:${proxy.port}`;
    await providerAt(plainAt("http://model.example")).call(ask("Hi"), within());
    expect(proxy.requests).toHaveLength(1);
  });
});
