/** Where servers write a count, as a path of names into their `usage` object. */
export interface CountPlace {
  readonly at: string;
  readonly source: string;
  /** The count is not part of the side that stands here, as it is elsewhere, but comes on top of it. */
  readonly besides?: string;
}

export type CountName =
  | "input"
  | "output"
  | "total"
  | "cached"
  | "cacheWrite"
  | "toolInput"
  | "reasoning"
  | "image"
  | "video"
  | "audioInput"
  | "audioOutput";

const OPENAI = "OpenAI chat completions reference; DashScope compatible, Mistral, GLM, vLLM follow it";
const NATIVE = "DashScope API reference";
const RESPONSES = "OpenAI responses reference";
const ANTHROPIC = "Anthropic messages reference: prompt caching; input_tokens leaves cached ones out";
const GEMINI = "Gemini API reference, UsageMetadata: candidates leave thoughts out";

/** The known shapes, by count. Of several places the first that holds more than zero counts. */
export const COUNT_PLACES: Readonly<Record<CountName, readonly CountPlace[]>> = {
  input: [
    { at: "prompt_tokens", source: OPENAI },
    { at: "input_tokens", source: `${NATIVE}; Anthropic; ${RESPONSES}` },
    { at: "promptTokenCount", source: GEMINI },
  ],
  output: [
    { at: "completion_tokens", source: OPENAI },
    { at: "output_tokens", source: `${NATIVE}; Anthropic; ${RESPONSES}` },
    { at: "candidatesTokenCount", source: GEMINI },
  ],
  total: [
    { at: "total_tokens", source: `${OPENAI}; ${NATIVE}: there for text only` },
    { at: "totalTokenCount", source: GEMINI },
  ],
  cached: [
    { at: "prompt_tokens_details.cached_tokens", source: OPENAI },
    { at: "input_tokens_details.cached_tokens", source: `${RESPONSES}; ${NATIVE}` },
    { at: "cached_tokens", source: "Moonshot (Kimi) chat reference" },
    {
      at: "prompt_cache_hit_tokens",
      source: "DeepSeek context caching guide: hit and miss add up to the prompt",
    },
    { at: "cachedContentTokenCount", source: GEMINI },
    { at: "cache_read_input_tokens", source: ANTHROPIC, besides: "input_tokens" },
  ],
  cacheWrite: [
    { at: "prompt_tokens_details.cache_creation_input_tokens", source: "Model Studio context cache page" },
    {
      at: "prompt_tokens_details.cache_creation.ephemeral_5m_input_tokens",
      source: "Model Studio context cache page",
    },
    { at: "prompt_tokens_details.cache_write_tokens", source: "OpenRouter usage accounting page" },
    { at: "input_tokens_details.cache_creation_input_tokens", source: NATIVE },
    { at: "input_tokens_details.cache_creation.ephemeral_5m_input_tokens", source: NATIVE },
    { at: "cache_creation_input_tokens", source: ANTHROPIC, besides: "input_tokens" },
  ],
  toolInput: [{ at: "toolUsePromptTokenCount", source: GEMINI, besides: "promptTokenCount" }],
  reasoning: [
    { at: "completion_tokens_details.reasoning_tokens", source: OPENAI },
    { at: "output_tokens_details.reasoning_tokens", source: `${RESPONSES}; ${NATIVE}` },
    { at: "reasoning_tokens", source: "Perplexity chat completions reference" },
    { at: "thoughtsTokenCount", source: GEMINI, besides: "candidatesTokenCount" },
  ],
  image: [
    { at: "prompt_tokens_details.image_tokens", source: OPENAI },
    { at: "input_tokens_details.image_tokens", source: NATIVE },
    { at: "image_tokens", source: NATIVE },
    { at: "promptTokensDetails.IMAGE", source: GEMINI },
  ],
  video: [
    { at: "prompt_tokens_details.video_tokens", source: "DashScope compatible" },
    { at: "input_tokens_details.video_tokens", source: NATIVE },
    { at: "video_tokens", source: NATIVE },
    { at: "promptTokensDetails.VIDEO", source: GEMINI },
  ],
  audioInput: [
    { at: "prompt_tokens_details.audio_tokens", source: OPENAI },
    { at: "input_tokens_details.audio_tokens", source: NATIVE },
    { at: "audio_tokens", source: NATIVE },
    { at: "promptTokensDetails.AUDIO", source: GEMINI },
  ],
  audioOutput: [
    { at: "completion_tokens_details.audio_tokens", source: OPENAI },
    { at: "output_tokens_details.audio_tokens", source: NATIVE },
    { at: "candidatesTokensDetails.AUDIO", source: GEMINI },
  ],
};
