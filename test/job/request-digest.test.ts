import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasLocalImages, inlineLocalImages, requestDigest } from "../../src/job/index.js";
import { canonicalJson, shortRequestDigest } from "../../src/job/request-digest.js";
import type { ModelRequest } from "../../src/types.js";

const request: ModelRequest = {
  model: "qwen-plus",
  messages: [{ role: "user", content: "hi" }],
  parameters: { temperature: 0.3, topP: 0.8 },
};
const studio = { provider: "model-studio", region: null, protocol: "openai" } as const;

describe("the digest of a request", () => {
  it("does not depend on the order of keys or on absent ones", () => {
    const same = {
      parameters: { topP: 0.8, temperature: 0.3 },
      messages: request.messages,
      model: "qwen-plus",
    };
    expect(requestDigest(same, studio)).toBe(requestDigest(request, studio));
    expect(requestDigest(request, studio)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    ["model", { ...request, model: "qwen-max" }, studio],
    ["prompt", { ...request, messages: [{ role: "user", content: "hi " }] }, studio],
    ["role", { ...request, messages: [{ role: "system", content: "hi" }] }, studio],
    ["parameters", { ...request, parameters: { temperature: 0.3 } }, studio],
    ["provider", request, { ...studio, provider: "simulator" }],
    ["region", request, { ...studio, region: "beijing" }],
  ] as [string, ModelRequest, typeof studio][])("changes with the %s", (_what, changed, answeredBy) => {
    expect(requestDigest(changed, answeredBy)).not.toBe(requestDigest(request, studio));
  });

  it("is shortened to its first 16 bytes", () => {
    fc.assert(
      fc.property(fc.string(), (content) => {
        const asked: ModelRequest = { ...request, messages: [{ role: "user", content }] };
        const bytes = Buffer.from(requestDigest(asked, studio), "hex").subarray(0, 16);
        expect(shortRequestDigest(asked, studio)).toBe(bytes.toString("base64url"));
      }),
    );
  });

  it("is made of JSON that says the same as the value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("the text that a digest is of", () => {
  it.each<ModelRequest>([
    request,
    { ...request, parameters: {} },
    { ...request, messages: [{ content: 'a "quoted"\n\u2028 text \ud800', role: "system" }] },
    { ...request, messages: [{ role: "assistant", content: "begun", partial: true }] },
    { ...request, messages: [{ role: "user", content: [{ type: "text", text: "x" }] }] },
    { ...request, messages: [{ role: "tool", content: "7", toolCallId: "a" }, ...request.messages] },
  ])("is the canonical JSON of the whole request: %j", (asked) => {
    const { model, messages, parameters } = asked;
    const whole = canonicalJson({ ...studio, region: null, model, messages, parameters });
    expect(requestDigest(asked, studio)).toBe(createHash("sha256").update(whole).digest("hex"));
  });
});

describe("local images of a request", () => {
  const withImages: ModelRequest = {
    ...request,
    messages: [
      { role: "system", content: "look" },
      {
        role: "user",
        content: [
          { type: "image", url: "file:///data/a.png" },
          { type: "image", url: "https://h/b.png" },
          { type: "text", text: "file:///not/an/image" },
        ],
      },
    ],
  };

  it("are read before the request is queued, all others stay", async () => {
    expect(hasLocalImages(withImages)).toBe(true);
    const inlined = await inlineLocalImages(withImages, async (url) => `data:image/png;base64,${btoa(url)}`);
    expect(hasLocalImages(inlined)).toBe(false);
    expect(inlined.messages[1]?.content).toEqual([
      { type: "image", url: `data:image/png;base64,${btoa("file:///data/a.png")}` },
      { type: "image", url: "https://h/b.png" },
      { type: "text", text: "file:///not/an/image" },
    ]);
  });

  it("are nothing to wait for in a request without any", async () => {
    const untouched = await inlineLocalImages(request, () => Promise.reject(new Error("not to be called")));
    expect(untouched).toBe(request);
  });
});
