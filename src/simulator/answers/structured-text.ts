import type { ChatRequest } from "../chat-request.js";
import { isRecord } from "../json.js";
import { schemaValue } from "./schema-value.js";

/** What shape the answer must have: none, any JSON object, or one that fits a schema. */
export function askedSchema(request: ChatRequest): { schema: unknown } | "json_object" | null {
  const format = request.parameters["response_format"];
  const type = isRecord(format) ? format["type"] : undefined;
  if (isRecord(format) && type === "json_schema" && isRecord(format["json_schema"])) {
    return { schema: format["json_schema"]["schema"] };
  }
  const schema = type === "json_object" || isAskedInWords(request) ? schemaInPrompt(request) : null;
  if (schema !== null) return { schema };
  return type === "json_object" ? "json_object" : null;
}

/** As of models that take no response format, or none while they think. */
function isAskedInWords({ messages }: ChatRequest): boolean {
  return messages.some(({ role, text }) => role === "system" && /\bJSON Schema\b/i.test(text));
}

/** `text` is what the model would say in plain words; other variants are other values. */
export function structuredText(
  asked: { schema: unknown } | "json_object",
  text: string,
  variant = 0,
): string {
  const value =
    asked === "json_object" ? { simulated: true, answer: text } : schemaValue(asked.schema, text, variant);
  return JSON.stringify(value);
}

/** Text where JSON was asked for, or JSON of a wrong shape: which of them depends on `draw` in [0, 1). */
export function unfitText(
  asked: { schema: unknown } | "json_object" | null,
  text: string,
  draw: number,
): string {
  if (asked === null || asked === "json_object" || draw < 0.34) {
    return `[simulated] This is not the JSON that was asked for. ${text.slice(0, 80)}`;
  }
  if (draw < 0.67) return structuredText(asked, text).slice(0, -1);
  // No schema for an object takes a list of one string that is a list again, and no other takes this object.
  return isRecord(asked.schema) && asked.schema["type"] === "array"
    ? '{"simulated":["unfit"]}'
    : '[["unfit"]]';
}

/** Without schema support at the server, clients write the schema into the prompt; it is honoured here. */
function schemaInPrompt(request: ChatRequest): unknown {
  let attempts = 0;
  for (const message of request.messages) {
    for (
      let at = message.text.indexOf("{");
      at >= 0 && attempts < maxSchemaAttempts;
      at = message.text.indexOf("{", at + 1)
    ) {
      attempts++;
      const parsed = parseBalanced(message.text, at);
      if (parsed === null) continue;
      if (isRecord(parsed.value) && isSchema(parsed.value)) return parsed.value;
      at = parsed.end;
    }
  }
  return null;
}

function isSchema(value: Readonly<Record<string, unknown>>): boolean {
  return (
    isRecord(value["properties"]) ||
    isRecord(value["$defs"]) ||
    (value["type"] === "array" && "items" in value)
  );
}

const maxSchemaCharacters = 100_000;
const maxSchemaAttempts = 100;

function parseBalanced(text: string, start: number): { value: unknown; end: number } | null {
  let depth = 0;
  let quoted = false;
  const end = Math.min(text.length, start + maxSchemaCharacters);
  for (let at = start; at < end; at++) {
    const character = text[at];
    if (quoted) {
      if (character === "\\") at++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) {
      try {
        return { value: JSON.parse(text.slice(start, at + 1)), end: at };
      } catch {
        return null;
      }
    }
  }
  return null;
}
