type Kept = "whole" | "half" | "none";

/** Finish reasons as servers word them: whose each is, and how much of the text comes with it. */
export const finishReasons: Readonly<Record<string, readonly [says: string, kept: Kept]>> = {
  null: ["JSON null, also at the end of a stream", "whole"],
  STOP: ["Gemini's stop", "whole"],
  end_turn: ["Anthropic's stop", "whole"],
  stop_sequence: ["Anthropic's stop at a stop word", "whole"],
  eos_token: ["TGI's stop", "whole"],
  length: ["cut in half", "half"],
  max_tokens: ["Anthropic's length", "half"],
  MAX_TOKENS: ["Gemini's length", "half"],
  content_filter: ["with the half of the text that was made before", "half"],
  SAFETY: ["Gemini's content_filter", "half"],
  sensitive: ["GLM's content_filter", "half"],
  refusal: ["Anthropic's content_filter", "half"],
  error: ["OpenRouter's, when the server behind it broke off", "half"],
  choice_error: ["the same, with an error object in the choice", "half"],
  choice_error_empty: ["the same, without any text", "none"],
  insufficient_system_resource: ["DeepSeek's, when it broke off", "half"],
  network_error: ["GLM's, when it broke off", "half"],
  abort: ["vLLM's, when it broke off", "half"],
};

/** How much of the text comes with a finish reason; all of it with an unknown one. */
export function keptText(name: string | undefined): Kept {
  return (name === undefined ? undefined : finishReasons[name]?.[1]) ?? "whole";
}

/** As sent. */
export function finishReason(name: string): string | null {
  if (name === "null") return null;
  return name.startsWith("choice_error") ? "error" : name;
}

/** What stands in the choice beside the finish reason. */
export function choiceError(name: string | undefined): { error?: unknown } {
  if (name?.startsWith("choice_error") !== true) return {};
  return { error: { code: 502, message: "Upstream provider disconnected" } };
}
