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
  /** qwen-mt sends null for the details. */
  readonly nullDetails: boolean;
  /** Without any details, as older models answer. */
  readonly plain: boolean;
}

/** The `usage` object of an answer, with the fields that docs.qwencloud.com lists for each protocol. */
export function usageBody(usage: SimulatedUsage, style: UsageStyle): Record<string, unknown> {
  return style.protocol === "dashscope" ? nativeUsage(usage, style) : compatibleUsage(usage, style);
}

function compatibleUsage(usage: SimulatedUsage, style: UsageStyle): Record<string, unknown> {
  const totals = {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
  };
  if (style.plain) return totals;
  if (style.nullDetails) {
    return { ...totals, prompt_tokens_details: null, completion_tokens_details: null };
  }
  const outputDetails = style.thinking
    ? { reasoning_tokens: usage.reasoning, text_tokens: usage.output - usage.reasoning }
    : style.multimodal
      ? { text_tokens: usage.output }
      : null;
  return {
    ...totals,
    prompt_tokens_details: {
      cached_tokens: usage.cachedInput,
      ...cacheWriteDetails(usage),
      ...(style.multimodal ? mediaDetails(usage) : {}),
    },
    ...(outputDetails === null ? {} : { completion_tokens_details: outputDetails }),
  };
}

function nativeUsage(usage: SimulatedUsage, style: UsageStyle): Record<string, unknown> {
  const totals = { input_tokens: usage.input, output_tokens: usage.output };
  const total = { total_tokens: usage.input + usage.output };
  if (style.plain || style.nullDetails) return { ...totals, ...total };
  return {
    ...totals,
    ...(style.multimodal ? {} : total),
    ...(usage.image > 0 ? { image_tokens: usage.image } : {}),
    ...(usage.video > 0 ? { video_tokens: usage.video } : {}),
    ...(style.multimodal ? { input_tokens_details: mediaDetails(usage) } : {}),
    ...(style.thinking || style.multimodal
      ? {
          output_tokens_details: {
            text_tokens: usage.output - usage.reasoning,
            ...(style.thinking ? { reasoning_tokens: usage.reasoning } : {}),
          },
        }
      : {}),
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
