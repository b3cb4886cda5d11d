import { describe, expect, it } from "vitest";

import { asking, askingNatively, at, paths, post, simulate } from "./calling.js";

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

describe("a simulator that requires a key", () => {
  it("refuses calls without one, as each protocol words it, and takes any other", async () => {
    const simulator = await simulate({ requireKey: true });
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Basic eDp5" }]) {
      const compatible = await post(simulator, paths.openai, asking("x"), headers);
      expect(compatible.status).toBe(401);
      expect(at(compatible.body, "error")).toEqual({
        message: expect.stringMatching(/^You didn't provide an API key\./) as string,
        type: "invalid_request_error",
        param: null,
        code: null,
      });
      const native = await post(simulator, paths.text, askingNatively("x"), headers);
      expect(native.status).toBe(401);
      expect(native.body).toMatchObject({ code: "InvalidApiKey", message: "No API-key provided." });
    }
    expect((await post(simulator, paths.openai, asking("x"), bearer("sk-any"))).status).toBe(200);
    expect((await post(simulator, `${paths.text}?api_key=sk-any`, askingNatively("x"))).status).toBe(200);
    expect(simulator.calls()).toMatchObject({ answered: 2, rejected: { "401": 3, InvalidApiKey: 3 } });
  });
});

describe("a simulator with a key of its own", () => {
  it("refuses another one, and none, before it reads what was asked", async () => {
    const simulator = await simulate({ apiKey: "sk-right" });
    const wrong = await post(simulator, paths.openai, "{", bearer("sk-wrong"));
    expect([wrong.status, at(wrong.body, "error", "code")]).toEqual([401, "invalid_api_key"]);
    expect(at(wrong.body, "error", "message")).toMatch(/^Incorrect API key provided\./);
    const native = await post(simulator, paths.text, askingNatively("x"), bearer("sk-wrong"));
    expect(native.body).toMatchObject({ code: "InvalidApiKey", message: "Invalid API-key provided." });
    expect((await post(simulator, paths.openai, asking("x"))).status).toBe(401);
    expect((await post(simulator, paths.openai, asking("x"), bearer("sk-right"))).status).toBe(200);
  });
});

describe("a simulator without further ado", () => {
  it("answers calls with a key and without one", async () => {
    const simulator = await simulate();
    expect((await post(simulator, paths.openai, asking("x"))).status).toBe(200);
    expect((await post(simulator, paths.openai, asking("x"), bearer("sk-any"))).status).toBe(200);
  });
});
