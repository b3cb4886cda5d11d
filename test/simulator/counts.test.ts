import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { UsageError } from "../../src/errors.js";
import { requestFingerprint, startSimulator } from "../../src/simulator/index.js";
import { latencyMs } from "../../src/simulator/latency.js";
import { asking, at, paths, post, simulate } from "./calling.js";
import { until } from "../support/until.js";

describe("the simulator's counts", () => {
  it("tell calls and answers of each request apart", async () => {
    const simulator = await simulate();
    const often = asking("often [[sim:fault=server_error;times=1]]");
    const once = asking("once");
    for (const body of [often, once, often, often]) await post(simulator, paths.openai, body);
    const counts = simulator.calls();
    expect(counts).toMatchObject({ total: 4, answered: 3, rejected: { internal_server_error: 1 } });
    expect(counts.perRequest.get(requestFingerprint(often))).toMatchObject({ calls: 3, answered: 2 });
    expect(counts.perRequest.get(requestFingerprint(once))).toEqual({
      calls: 1,
      answered: 1,
      spoiled: 0,
      billed: 1,
      lastUserText: "once",
    });
  });

  it("add up with the usage in the answers", async () => {
    const simulator = await simulate();
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        post(simulator, paths.openai, asking(`row ${"x".repeat(index)}`)),
      ),
    );
    const sum = (key: string) =>
      replies.reduce((total, reply) => total + Number(at(reply.body, "usage", key)), 0);
    expect(simulator.calls().tokens).toMatchObject({
      input: sum("prompt_tokens"),
      output: sum("completion_tokens"),
    });
  });

  it("add up over all outcomes, whatever the error mix", async () => {
    const errors = {
      server_error: 0.2,
      connection_reset: 0.1,
      malformed_json: 0.1,
      rate_limit: 0.1,
      content_filter: 0.1,
    };
    const simulator = await simulate({ errors });
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        post(simulator, paths.openai, asking(`row ${index}`)).catch(() => null),
      ),
    );
    await expect.poll(() => simulator.calls().inFlight).toBe(0);
    const { total, answered, rejected, spoiled, dropped } = simulator.calls();
    const refused = Object.values(rejected).reduce((sum, count) => sum + count, 0);
    expect(answered + refused + spoiled + dropped).toBe(total);
    expect(total).toBeGreaterThanOrEqual(200);
    expect(Math.min(answered, refused, spoiled, dropped)).toBeGreaterThan(0);
  });

  it("know how many calls were in flight at once", async () => {
    const simulator = await simulate();
    const hung = Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        post(simulator, paths.openai, asking(`[[sim:fault=hang]] row ${index}`)),
      ),
    );
    await until("all have arrived", () => simulator.calls().inFlight === 8);
    await simulator.close();
    await hung;
    const { peakInFlight, perSecond } = simulator.calls();
    expect(peakInFlight).toBe(8);
    expect(perSecond.reduce((sum, count) => sum + count, 0)).toBe(8);
  });

  it("can be read and reset over HTTP", async () => {
    const simulator = await simulate();
    await post(simulator, paths.openai, asking("once"));
    const read = async (path: string) => (await fetch(simulator.url + path)).json() as Promise<unknown>;
    expect(await read("/__calls")).toMatchObject({ total: 1, answered: 1 });
    expect(await read("/__calls")).not.toHaveProperty("perRequest");
    expect(await read("/__calls?detail=1")).toMatchObject({
      perRequest: { [requestFingerprint(asking("once"))]: { calls: 1, answered: 1 } },
    });
    await fetch(`${simulator.url}/__reset`, { method: "POST" });
    expect(simulator.calls()).toMatchObject({ total: 0, answered: 0, tokens: { input: 0 } });
    expect(await read("/health")).toEqual({ status: "ok" });
  });

  it("know what was billed although its client went away, and nothing of what no answer was made for", async () => {
    const simulator = await simulate({ latency: { kind: "fixed", ms: 3_600_000 } });
    const bodies = { made: asking("left early"), hung: asking("[[sim:fault=hang]] left early") };
    const leaving = new AbortController();
    const calls = Object.values(bodies).map((body) =>
      fetch(simulator.url + paths.openai, {
        method: "POST",
        body: JSON.stringify(body),
        signal: leaving.signal,
      }),
    );
    await until("both have arrived", () => simulator.calls().inFlight === 2);
    leaving.abort();
    await Promise.allSettled(calls);
    await until("both are over", () => simulator.calls().dropped === 2);
    const countsOf = async (body: unknown) => (await post(simulator, "/__calls", body)).body;
    expect(await countsOf(bodies.made)).toMatchObject({ calls: 1, answered: 0, spoiled: 0, billed: 1 });
    expect(await countsOf(bodies.hung)).toMatchObject({ calls: 1, answered: 0, spoiled: 0, billed: 0 });
    expect(await countsOf(asking("never asked"))).toBeNull();
    const { tokens, droppedTokens } = simulator.calls();
    expect(tokens.output).toBe(0);
    expect(droppedTokens.output).toBeGreaterThan(0);
  });

  it("bill a spoiled answer and one whose stream was left in the middle", async () => {
    const simulator = await simulate();
    const spoiled = asking("[[sim:fault=malformed_json]]");
    const stalled = asking("[[sim:fault=stalled_stream]] something to say", { stream: true });
    await post(simulator, paths.openai, spoiled);
    const response = await fetch(simulator.url + paths.openai, {
      method: "POST",
      body: JSON.stringify(stalled),
    });
    await response.body?.cancel();
    await until("it is over", () => simulator.calls().dropped === 1);
    const { perRequest } = simulator.calls();
    expect(perRequest.get(requestFingerprint(spoiled))).toMatchObject({ answered: 0, billed: 1 });
    expect(perRequest.get(requestFingerprint(stalled))).toMatchObject({ answered: 0, billed: 1 });
  });

  it("keep no request with trackRequests false, and still number its calls", async () => {
    const simulator = await simulate({ trackRequests: false });
    const body = asking("[[sim:fault=server_error;times=1]] x");
    expect((await post(simulator, paths.openai, body)).status).toBe(500);
    expect((await post(simulator, paths.openai, body)).status).toBe(200);
    expect(simulator.calls().perRequest.size).toBe(0);
  });
});

describe("a request's fingerprint", () => {
  it("does not depend on key order or on how the answer is carried", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.double({ min: 0, max: 1.9, noNaN: true }),
        fc.boolean(),
        (text, temperature, stream) => {
          const messages = [{ role: "user", content: text }];
          const one = requestFingerprint({ model: "m", messages, temperature, top_p: 0.5 });
          const other = requestFingerprint({
            top_p: 0.5,
            stream,
            temperature,
            messages: [{ content: text, role: "user" }],
            model: "m",
          });
          expect(other).toBe(one);
          expect(
            requestFingerprint({ model: "m", messages, temperature: temperature + 0.01, top_p: 0.5 }),
          ).not.toBe(one);
        },
      ),
    );
  });
});

describe("a simulator", () => {
  it("closes promptly with hanging and waiting calls, and twice without harm", async () => {
    const simulator = await startSimulator({ latency: { kind: "fixed", ms: 3_600_000 } });
    const calls = ["[[sim:fault=hang]]", "slow"].map((text) =>
      post(simulator, paths.openai, asking(text)).catch(() => "cut"),
    );
    await expect.poll(() => simulator.calls().inFlight).toBe(2);
    await simulator.close();
    await simulator.close();
    expect(await Promise.all(calls)).toEqual(["cut", "cut"]);
    expect(simulator.calls()).toMatchObject({ inFlight: 0, dropped: 2 });
  });

  it("listens on the port it is given, and says so when it cannot", async () => {
    const first = await simulate();
    const { port } = new URL(first.url);
    await expect(startSimulator({ port: Number(port) })).rejects.toThrow(UsageError);
  });

  it.each([
    { port: 70_000 },
    { errors: { hang: 2 } },
    { perOutputTokenMs: -1 },
    { limits: { requestsPerMinute: 0 } },
    { latency: { kind: "log-normal", medianMs: 1, sigma: Number.NaN } },
  ] as const)("refuses the options %j", async (options) => {
    await expect(startSimulator(options)).rejects.toThrow(UsageError);
  });

  it("holds calls of the Batch Chat path open while it answers others", async () => {
    const simulator = await simulate({ batchChatDelayMs: 3_600_000 });
    const leaving = new AbortController();
    const held = fetch(`${simulator.batchChatBaseUrl}/chat/completions`, {
      method: "POST",
      body: JSON.stringify(asking("x")),
      signal: leaving.signal,
    });
    await expect.poll(() => simulator.calls().inFlight).toBe(1);
    expect((await post(simulator, paths.openai, asking("x"))).status).toBe(200);
    expect(simulator.calls()).toMatchObject({ answered: 1, inFlight: 1 });
    leaving.abort();
    await expect(held).rejects.toThrow();
  });

  it("paces a stream by its output tokens", async () => {
    const simulator = await simulate({ perOutputTokenMs: 3_600_000 });
    const response = await fetch(simulator.url + paths.openai, {
      method: "POST",
      body: JSON.stringify(asking("a prompt that is echoed in some more pieces than one", { stream: true })),
    });
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toContain('"role":"assistant"');
    expect(simulator.calls()).toMatchObject({ answered: 0, inFlight: 1 });
    await reader?.cancel();
  });

  it("takes as long for a request as its seed says, around the median", () => {
    const latency = { kind: "log-normal", medianMs: 100, sigma: 0.5 } as const;
    const waits = Array.from({ length: 2_001 }, (_, row) =>
      latencyMs(latency, 5, requestFingerprint(asking(`row ${row}`)), 1),
    );
    expect(waits).toEqual(
      waits.map((_, row) => latencyMs(latency, 5, requestFingerprint(asking(`row ${row}`)), 1)),
    );
    const sorted = [...waits].sort((left, right) => left - right);
    expect(sorted[1_000]).toBeGreaterThan(90);
    expect(sorted[1_000]).toBeLessThan(110);
    expect(sorted[0]).toBeGreaterThan(0);
    expect(sorted.at(-1)).toBeGreaterThan(250);
  });
});
