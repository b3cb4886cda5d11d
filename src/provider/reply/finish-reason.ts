/**
 * What a finish reason says of the answer, whoever words it.
 *
 * - done: whole
 * - cut: ended by a limit of tokens; what there is can be read
 * - filtered: ended by a content check or a refusal
 * - broken: ended by a fault of the server; another attempt may help
 * - tool_calls: the model waits for what its tools say
 */
export type FinishMeaning = "done" | "cut" | "filtered" | "broken" | "tool_calls";

/** Lower case, `_` between words, without Gemini's `FINISH_REASON_`. `unknown` is ours, for a reason that never came. */
const REASONS: Readonly<Record<FinishMeaning, Readonly<Record<string, string>>>> = {
  done: {
    "OpenAI and all that follow it; DashScope; Gemini": "stop",
    Anthropic: "end_turn stop_sequence",
    "OpenAI responses": "completed",
    "Hugging Face TGI, Together, watsonx": "eos eos_token",
    "Cohere, Baidu": "complete normal",
    "this program": "unknown",
  },
  cut: {
    "OpenAI and all that follow it; DashScope; vLLM": "length",
    "Anthropic, Gemini, Bedrock, Cohere, watsonx": "max_tokens pause_turn",
    "OpenAI responses": "max_output_tokens incomplete",
    "Anthropic, GLM, Bedrock": "model_context_window_exceeded",
    "Mistral, watsonx, other gateways":
      "model_length token_limit max_length max_completion_tokens error_limit",
  },
  filtered: {
    "OpenAI, Azure, DeepSeek, OpenRouter": "content_filter",
    "Anthropic, Bedrock": "refusal content_filtered guardrail_intervened",
    GLM: "sensitive",
    "Gemini, Vertex":
      "safety recitation language blocklist prohibited_content spii model_armor image_safety image_prohibited_content image_recitation",
    Cohere: "error_toxic",
  },
  broken: {
    "OpenRouter, Mistral, Cohere, vLLM, watsonx": "error",
    DeepSeek: "insufficient_system_resource",
    GLM: "network_error",
    "vLLM, SGLang": "abort aborted",
    "Cohere, watsonx": "user_cancel cancelled canceled timeout time_limit not_finished",
    "Gemini, Vertex":
      "other malformed_function_call malformed_response unexpected_tool_call too_many_tool_calls missing_thought_signature image_other no_image",
    "Bedrock, other gateways": "malformed_model_output malformed_tool_use failed server_error internal_error",
  },
  tool_calls: {
    "OpenAI and all that follow it; the second is its older one": "tool_calls function_call",
    "Anthropic, Bedrock, Cohere": "tool_use tool_call",
  },
};

const MEANINGS = new Map(
  Object.entries(REASONS).flatMap(([meaning, bySource]) =>
    Object.values(bySource).flatMap((words) =>
      words.split(" ").map((word) => [word, meaning as FinishMeaning] as const),
    ),
  ),
);

/** What a finish reason means, in any spelling; null for one that is not known. */
export function finishMeaning(reason: string): FinishMeaning | null {
  return MEANINGS.get(reason) ?? MEANINGS.get(plain(reason)) ?? null;
}

/** Whether the answer was cut at a limit of tokens: `length` by all its names. */
export function isCut(reason: string): boolean {
  return finishMeaning(reason) === "cut";
}

function plain(reason: string): string {
  const words = reason
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
  return words.replaceAll(/[\s-]+/g, "_").replace(/^finish_reason_/, "");
}
