import type { Protocol } from "../types.js";

/** Tokens of one answer. `input` includes cached, image and video tokens, `output` includes reasoning. */
export interface SimulatedUsage {
  readonly input: number;
  readonly output: number;
  readonly reasoning: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly image: number;
  readonly video: number;
}

export interface UsageStyle {
  readonly protocol: Protocol;
  /** Vision models report text and image tokens apart; on the native path they give no total. */
  readonly multimodal: boolean;
  readonly thinking: boolean;
}

/** Input, output and their sum, by the protocol's names. */
export function usageTotals(usage: SimulatedUsage, protocol: Protocol): Record<string, number> {
  const native = protocol === "dashscope";
  return {
    [native ? "input_tokens" : "prompt_tokens"]: usage.input,
    [native ? "output_tokens" : "completion_tokens"]: usage.output,
    total_tokens: usage.input + usage.output,
  };
}

/** The `usage` object of an answer, with the fields that docs.qwencloud.com lists for each protocol. */
export function usageBody(usage: SimulatedUsage, style: UsageStyle): Record<string, unknown> {
  return style.protocol === "dashscope" ? nativeUsage(usage, style) : compatibleUsage(usage, style);
}

function compatibleUsage(usage: SimulatedUsage, style: UsageStyle): Record<string, unknown> {
  const outputDetails = style.thinking
    ? { reasoning_tokens: usage.reasoning, text_tokens: usage.output - usage.reasoning }
    : style.multimodal
      ? { text_tokens: usage.output }
      : null;
  return {
    ...usageTotals(usage, "openai"),
    prompt_tokens_details: {
      cached_tokens: usage.cachedInput,
      ...cacheWriteDetails(usage),
      ...(style.multimodal ? mediaDetails(usage) : {}),
    },
    ...(outputDetails === null ? {} : { completion_tokens_details: outputDetails }),
  };
}

function nativeUsage(usage: SimulatedUsage, style: UsageStyle): Record<string, unknown> {
  const { total_tokens: total, ...parts } = usageTotals(usage, "dashscope");
  const { text_tokens: _text, ...media } = mediaDetails(usage);
  const text = { text_tokens: usage.output - usage.reasoning };
  return {
    ...parts,
    ...media,
    ...(style.multimodal ? { input_tokens_details: mediaDetails(usage) } : { total_tokens: total }),
    ...(style.thinking ? { output_tokens_details: { ...text, reasoning_tokens: usage.reasoning } } : {}),
    ...(style.multimodal && !style.thinking ? { output_tokens_details: text } : {}),
    prompt_tokens_details: { cached_tokens: usage.cachedInput, ...cacheWriteDetails(usage) },
  };
}

function mediaDetails(usage: SimulatedUsage): Record<string, number> {
  return {
    text_tokens: usage.input - usage.image - usage.video,
    ...(usage.image > 0 ? { image_tokens: usage.image } : {}),
    ...(usage.video > 0 ? { video_tokens: usage.video } : {}),
  };
}

function cacheWriteDetails(usage: SimulatedUsage): Record<string, unknown> {
  if (usage.cacheWrite === 0) return {};
  return {
    cache_creation_input_tokens: usage.cacheWrite,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite },
    cache_type: "ephemeral",
  };
}
