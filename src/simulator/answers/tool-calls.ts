import type { ChatRequest } from "../chat-request.js";
import { isRecord } from "../json.js";
import { schemaValue } from "./schema-value.js";

export interface SimulatedToolCall {
  readonly id: string;
  readonly type: "function";
  readonly index: number;
  readonly function: { readonly name: string; readonly arguments: string };
}

/**
 * The calls that the simulated model makes: the tool that `tool_choice` names, else the first one (the
 * first two with `parallel_tool_calls`), with arguments that fit its schema. Null when no tools are given,
 * `tool_choice` is `none`, or the last message already answers a call.
 */
export function toolCalls(
  request: ChatRequest,
  text: string,
  { callId, variant }: { callId: string; variant: number },
): SimulatedToolCall[] | null {
  const { tools, tool_choice: choice, parallel_tool_calls: parallel } = request.parameters;
  if (!Array.isArray(tools) || choice === "none" || request.messages.at(-1)?.role === "tool") return null;
  const definitions = tools.flatMap((tool) =>
    isRecord(tool) && isRecord(tool["function"]) ? [tool["function"]] : [],
  );
  const forced = isRecord(choice) && isRecord(choice["function"]) ? choice["function"]["name"] : undefined;
  const chosen = definitions
    .filter((definition) => forced === undefined || definition["name"] === forced)
    .slice(0, parallel === true ? 2 : 1);
  if (chosen.length === 0) return null;
  return chosen.map((definition, index) => ({
    id: `call_${callId}${index}`,
    type: "function",
    index,
    function: {
      name: String(definition["name"]),
      arguments: JSON.stringify(schemaValue(definition["parameters"] ?? { type: "object" }, text, variant)),
    },
  }));
}
