import { describe, expect, it } from "vitest";
import { checkRequest, structuredRequest } from "../../src/provider/index.js";
import type { Message, ModelRequest, Parameters } from "../../src/types.js";

const schema = { type: "object", properties: { color: { type: "string" } } };
const format = { type: "json_schema", jsonSchema: { name: "answer", schema } } as const;
const user: Message = { role: "user", content: "Which color?" };

function ask(model: string, messages: readonly Message[], parameters: Parameters = {}): ModelRequest {
  return { model, messages, parameters: { ...parameters, responseFormat: format } };
}

describe("a request for an answer of a shape", () => {
  it.each([
    ["a model that takes json_schema", ask("qwen-plus", [user]), "model-studio"],
    ["another server, whatever its model is called", ask("qwen-max", [user]), "other"],
    [
      "no schema at all",
      { model: "qwen-max", messages: [user], parameters: { responseFormat: { type: "json_object" } } },
      "model-studio",
    ],
  ] as const)("goes out as it is: %s", (_, request, vendor) => {
    expect(structuredRequest(request, vendor)).toBe(request);
  });

  it.each(["qwen-max", "qwen3-vl-plus", "qwen3.5-plus", "a-new-model"])(
    "asks %s for a JSON object, with the schema and the word JSON in the system message",
    (model) => {
      const sent = structuredRequest(
        ask(model, [{ role: "system", content: "Be brief.\n" }, user]),
        "model-studio",
      );
      expect(sent.parameters.responseFormat).toEqual({ type: "json_object" });
      expect(sent.messages).toHaveLength(2);
      expect(sent.messages[0]).toMatchObject({
        role: "system",
        content: expect.stringMatching(/^Be brief\.\n\nAnswer with one JSON value/) as string,
      });
      expect(sent.messages[0]?.content).toContain(JSON.stringify(schema));
      expect(checkRequest(sent, "openai").problems).toEqual([]);
    },
  );

  it("gets a system message of its own where there is none, and a part where that one has parts", () => {
    const alone = structuredRequest(ask("qwen-max", [user]), "model-studio");
    expect(alone.messages.map(({ role }) => role)).toEqual(["system", "user"]);
    const parts: Message = { role: "system", content: [{ type: "text", text: "Be brief." }] };
    const sent = structuredRequest(ask("qwen3-vl-plus", [parts, user]), "model-studio");
    expect(sent.messages[0]?.content).toEqual([
      { type: "text", text: "Be brief." },
      { type: "text", text: expect.stringContaining("JSON Schema") as string },
    ]);
  });

  it("names no format while the model thinks, which json_object excludes", () => {
    const sent = structuredRequest(ask("qwen-turbo", [user], { enableThinking: true }), "model-studio");
    expect(sent.parameters.responseFormat).toEqual({ type: "text" });
    expect(checkRequest(sent, "openai").problems).toEqual([]);
  });
});
