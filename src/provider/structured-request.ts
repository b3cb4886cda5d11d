import type { Message, ModelRequest } from "../types.js";
import { wantsThinking } from "./call-plan.js";
import type { Vendor } from "./endpoint.js";
import { modelTraits } from "./models.js";
import { structuredOutputFor } from "./structured-output.js";

/**
 * The request in the form in which its model can be asked for JSON of a shape. Where Model Studio's model
 * takes no json_schema, the schema goes into the system message instead; see `structuredOutputFor`. Other
 * servers get json_schema as it is. Requests without a schema are returned unchanged.
 */
export function structuredRequest(request: ModelRequest, vendor: Vendor): ModelRequest {
  const format = request.parameters.responseFormat;
  if (format?.type !== "json_schema" || vendor === "other") return request;
  if (modelTraits(request.model).jsonSchema === true) return request;
  const schema = format.jsonSchema.schema as Readonly<Record<string, unknown>>;
  const { responseFormat, instruction } = structuredOutputFor(
    request.model,
    schema,
    wantsThinking(request, vendor),
  );
  return {
    ...request,
    messages: instruction === null ? request.messages : withInstruction(request.messages, instruction),
    parameters: { ...request.parameters, responseFormat },
  };
}

/** Into the system message: it is the same for all rows, so providers can cache it. */
function withInstruction(messages: readonly Message[], instruction: string): readonly Message[] {
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: instruction }, ...messages];
  const content =
    typeof first.content === "string"
      ? `${first.content.trimEnd()}\n\n${instruction}`
      : [...first.content, { type: "text", text: instruction } as const];
  return [{ ...first, content }, ...rest];
}
