import { request as undiciRequest } from "undici";
import { describe, expect, it } from "vitest";

import { UsageError } from "../../src/errors.js";
import {
  type ErrorMix,
  isPermanentFault,
  parseErrorMix,
  plannedFault,
  requestFingerprint,
  type SimulatedFault,
  vendorErrors,
} from "../../src/simulator/index.js";
import { asking, askingNatively, at, contentOf, paths, post, simulate } from "./calling.js";

describe("an error mix", () => {
  it("is read from name=probability pairs", () => {
    expect(parseErrorMix("rate_limit=0.1, server_error=0.05,")).toEqual({
      rate_limit: 0.1,
      server_error: 0.05,
    });
    expect(parseErrorMix("")).toEqual({});
  });

  it("takes a name alone for every call, and oddities of several kinds beside faults", () => {
    expect(parseErrorMix("usage:missing,finish:error=0.5,hang=1")).toEqual({
      "usage:missing": 1,
      "finish:error": 0.5,
      hang: 1,
    });
  });

  it("that names an unknown fault is refused with the list of known ones", () => {
    const read = () => parseErrorMix("rate_limit=0.1,typo=0.2");
    expect(read).toThrow(UsageError);
    expect(read).toThrow(/"typo"/);
    try {
      read();
    } catch (error) {
      expect(error instanceof UsageError && error.hint).toContain("connection_reset");
    }
  });

  it.each([
    "rate_limit=2",
    "rate_limit=x",
    "rate_limit=",
    "usage:many",
    "constructor:name",
    "usage:missing=0.6,usage:null=0.6",
    "rate_limit=-0.1",
    "rate_limit=0.6,hang=0.6",
    "hang=0.1,hang=0.1",
  ])("of %s is refused", (text) => {
    expect(() => parseErrorMix(text)).toThrow(UsageError);
  });
});

describe("a planned fault", () => {
  const errors: ErrorMix = { server_error: 0.2, rate_limit: 0.1, content_inspection: 0.1 };
  const fingerprints = Array.from({ length: 4_000 }, (_, index) =>
    requestFingerprint(asking(`row ${index}`)),
  );

  it("comes as often as its probability says", () => {
    const count = (fault: SimulatedFault) =>
      fingerprints.filter((fingerprint) => plannedFault(errors, 7, fingerprint, 1) === fault).length / 4_000;
    expect(count("content_inspection")).toBeCloseTo(0.1, 1);
    expect(count("server_error")).toBeCloseTo(0.18, 1);
  });

  it("is another one with another seed", () => {
    const planned = (seed: number) =>
      fingerprints.map((fingerprint) => plannedFault(errors, seed, fingerprint, 1));
    expect(planned(1)).toEqual(planned(1));
    expect(planned(1)).not.toEqual(planned(2));
  });

  it("that is permanent meets every call of its request, and only that request", () => {
    for (const fingerprint of fingerprints.slice(0, 500)) {
      const calls = [1, 2, 3, 9].map((number) => plannedFault(errors, 7, fingerprint, number));
      const permanent = calls.filter((fault) => fault !== null && isPermanentFault(fault));
      expect([0, 4]).toContain(permanent.length);
    }
  });

  it("is what the server does, whatever the order in which calls arrive", async () => {
    const simulator = await simulate({ seed: 7, errors });
    const rows = Array.from({ length: 60 }, (_, index) => asking(`row ${index}`));
    const statuses = new Map<string, number[]>(rows.map((row) => [requestFingerprint(row), []]));
    for (let round = 0; round < 3; round++) {
      const shuffled = [...rows].sort((left, right) =>
        requestFingerprint([left, round]) < requestFingerprint([right, round]) ? -1 : 1,
      );
      await Promise.all(
        shuffled.map(async (row) => {
          const reply = await post(simulator, paths.openai, row);
          statuses.get(requestFingerprint(row))?.push(reply.status);
        }),
      );
    }
    for (const [fingerprint, seen] of statuses) {
      const expected = [1, 2, 3].map((number) => {
        const fault = plannedFault(errors, 7, fingerprint, number);
        return fault === null ? 200 : vendorErrors[fault as "server_error"].status;
      });
      expect(seen).toEqual(expected);
    }
  });
});

describe("each error of the vendor's table", () => {
  it.each(Object.entries(vendorErrors))(
    "%s has its status, code and message by both protocols",
    async (name, error) => {
      const simulator = await simulate();
      const prompt = `[[sim:fault=${name}]]`;
      const compatible = await post(simulator, paths.openai, asking(prompt));
      expect(compatible.status).toBe(error.status);
      expect(compatible.body).toMatchObject({
        error: {
          code: error.compatibleCode,
          type: error.compatibleType,
          message: error.message,
          param: null,
        },
        request_id: compatible.headers.get("x-request-id"),
      });
      const native = await post(simulator, paths.text, askingNatively(prompt));
      expect(native.status).toBe(error.status);
      expect(native.body).toEqual({
        code: error.nativeCode,
        message: error.nativeMessage,
        request_id: native.headers.get("x-request-id"),
      });
      expect(simulator.calls().answered).toBe(0);
    },
  );

  it("comes as an event beside its status when the native path was asked for events", async () => {
    const simulator = await simulate();
    const body = askingNatively("[[sim:fault=rate_limit]]", { incremental_output: true });
    const reply = await post(simulator, paths.text, body, { "x-dashscope-sse": "enable" });
    expect(reply.status).toBe(429);
    expect(reply.text).toMatch(/^id:1\nevent:error\n:HTTP_STATUS\/429\ndata:\{"code":"Throttling.RateQuota"/);
  });

  it("can be one that nobody knows, by marker", async () => {
    const simulator = await simulate();
    const reply = await post(
      simulator,
      paths.openai,
      asking("[[sim:status=418;code=Teapot;message=short; stout]]"),
    );
    expect(reply.status).toBe(418);
    expect(at(reply.body, "error")).toMatchObject({ code: "Teapot", message: "short; stout" });
  });
});

describe("a transport fault", () => {
  const ask = async (fault: string, more: Record<string, unknown> = {}, options = {}) => {
    const simulator = await simulate(options);
    const body = asking(`[[sim:fault=${fault}]] hello`, more);
    const outcome = await post(simulator, paths.openai, body).then(
      (reply) => reply,
      (error: unknown) => (error instanceof Error ? `${error.message} ${String(error.cause)}` : "?"),
    );
    return { outcome, counts: simulator.calls() };
  };

  it("connection_reset gives no answer and bills nothing", async () => {
    const { outcome, counts } = await ask("connection_reset");
    expect(outcome).toMatch(/ECONNRESET|fetch failed|terminated|other side closed/);
    expect(counts).toMatchObject({ answered: 0, dropped: 1, spoiled: 0, faults: { connection_reset: 1 } });
  });

  it("reset_after_answer gives no answer either, and is counted as billed", async () => {
    const { outcome, counts } = await ask("reset_after_answer");
    expect(outcome).toBeTypeOf("string");
    expect(counts).toMatchObject({ answered: 0, spoiled: 1 });
    expect(counts.spoiledTokens.output).toBeGreaterThan(0);
  });

  it.each([
    ["malformed_json", /^(?!\s*$)/],
    ["empty_body", /^$/],
  ])("%s is a 200 that cannot be read", async (fault, text) => {
    const { outcome, counts } = await ask(fault);
    expect(outcome).toMatchObject({ status: 200, text: expect.stringMatching(text) as string });
    expect(() => JSON.parse((outcome as { text: string }).text) as unknown).toThrow(SyntaxError);
    expect(counts).toMatchObject({ answered: 0, spoiled: 1 });
  });

  it("truncated_body breaks off in the middle", async () => {
    const simulator = await simulate();
    const { statusCode, body } = await undiciRequest(simulator.url + paths.openai, {
      method: "POST",
      body: JSON.stringify(asking("[[sim:fault=truncated_body]] hello")),
    });
    expect(statusCode).toBe(200);
    await expect(body.text()).rejects.toThrow();
    expect(simulator.calls().spoiled).toBe(1);
  });

  it("slow_body arrives whole, in pieces", async () => {
    const { outcome, counts } = await ask("slow_body", {}, { slowBodyMs: 60 });
    expect(outcome).toMatchObject({ status: 200, body: { object: "chat.completion" } });
    expect(counts.answered).toBe(1);
  });

  it("bad_gateway is a page of HTML", async () => {
    const { outcome } = await ask("bad_gateway");
    expect(outcome).toMatchObject({ status: 502, text: expect.stringContaining("<html>") as string });
  });

  it("hang lasts until the client leaves, and is counted as dropped", async () => {
    const simulator = await simulate();
    const leaving = new AbortController();
    const call = fetch(simulator.url + paths.openai, {
      method: "POST",
      body: JSON.stringify(asking("[[sim:fault=hang]]")),
      signal: leaving.signal,
    });
    await expect.poll(() => simulator.calls().faults.hang).toBe(1);
    expect(simulator.calls().inFlight).toBe(1);
    leaving.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(() => simulator.calls().dropped).toBe(1);
    expect(simulator.calls().inFlight).toBe(0);
  });

  it("stream_throttled ends a stream with the native error frame inside a compatible error", async () => {
    const { outcome } = await ask("stream_throttled", { stream: true });
    const { status, text } = outcome as { status: number; text: string };
    expect(status).toBe(200);
    expect(text).toContain(":HTTP_STATUS/429");
    expect(text).not.toContain("[DONE]");
  });

  it("of a stream is its plain counterpart on a call that is not streamed", async () => {
    const { outcome } = await ask("stream_error");
    expect(outcome).toMatchObject({ status: 500 });
  });
});

describe("a fault of the answer", () => {
  const ask = async (fault: string, more: Record<string, unknown> = {}) => {
    const simulator = await simulate();
    const reply = await post(
      simulator,
      paths.openai,
      asking(`[[sim:fault=${fault}]] Answer in JSON: one two three`, more),
    );
    expect(reply.status).toBe(200);
    expect(simulator.calls().answered).toBe(1);
    return at(reply.body, "choices", 0);
  };

  it("truncated_answer finishes for length", async () => {
    expect(await ask("truncated_answer")).toMatchObject({ finish_reason: "length" });
  });

  it("content_filter finishes without text", async () => {
    expect(await ask("content_filter")).toMatchObject({
      finish_reason: "content_filter",
      message: { content: "" },
    });
  });

  it("fenced_json_output wraps JSON in a code fence", async () => {
    const choice = await ask("fenced_json_output", { response_format: { type: "json_object" } });
    expect(at(choice, "message", "content")).toMatch(/^```json\n\{.*\}\n```$/s);
  });
});

describe("a marker", () => {
  it("that cannot be read is refused with the reason", async () => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking("[[sim:fault=nonsense]]"));
    expect(reply.status).toBe(400);
    expect(at(reply.body, "error", "message")).toContain("unknown fault nonsense");
    const typo = await post(simulator, paths.openai, asking("[[sim:fualt=hang]]"));
    expect(at(typo.body, "error", "message")).toContain('unknown key "fualt"');
  });

  it("limits a fault to the first calls of its request", async () => {
    const simulator = await simulate();
    const body = asking("[[sim:fault=server_error;times=2]] hello");
    const statuses: number[] = [];
    for (let call = 0; call < 3; call++) statuses.push((await post(simulator, paths.openai, body)).status);
    expect(statuses).toEqual([500, 500, 200]);
  });

  it("sets answer, finish reason and usage, and is not part of the answer", async () => {
    const simulator = await simulate();
    const text = "[[sim:input_tokens=100;output_tokens=50;cached=40;cache_write=7]] [[sim:answer=a; b = c]]";
    const reply = await post(simulator, paths.openai, asking(text));
    expect(contentOf(reply)).toBe("a; b = c");
    expect(at(reply.body, "usage")).toMatchObject({
      prompt_tokens: 100,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 40, cache_creation_input_tokens: 7, cache_type: "ephemeral" },
    });
    const echo = await post(simulator, paths.openai, asking("[[sim:finish=stop]] hello"));
    expect(contentOf(echo)).toBe("[simulated] hello");
  });

  it("limits what is odd to the first calls, too", async () => {
    const simulator = await simulate();
    const body = asking("[[sim:finish=error;usage=missing;times=1]] hello");
    const first = await post(simulator, paths.openai, body);
    const second = await post(simulator, paths.openai, body);
    expect(at(first.body, "choices", 0, "finish_reason")).toBe("error");
    expect(first.body).not.toHaveProperty("usage");
    expect(at(second.body, "choices", 0, "finish_reason")).toBe("stop");
    expect(second.body).toHaveProperty("usage");
  });

  it("with an unknown shape is refused with the known ones", async () => {
    const simulator = await simulate();
    const reply = await post(simulator, paths.openai, asking("[[sim:usage=none]]"));
    expect(reply.status).toBe(400);
    expect(at(reply.body, "error", "message")).toContain("unknown usage none. Known: missing, null,");
  });
});
