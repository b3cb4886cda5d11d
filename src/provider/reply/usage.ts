import type { Usage } from "../../types.js";
import { countOf, objectOf } from "../json-value.js";
import type { JsonObject } from "../json-value.js";

/**
 * Reads the token counts of either protocol: `prompt_tokens`/`completion_tokens` or
 * `input_tokens`/`output_tokens`, with their details, any of which may be null or absent.
 *
 * Native answers give `total_tokens` for text only and count images beside; a missing side is derived from
 * the total when there is one. null when there is no count at all. Source: chat and DashScope API reference.
 */
export function readUsage(value: unknown): Usage | null {
  const usage = objectOf(value);
  if (usage === null) return null;
  const total = countOf(usage["total_tokens"]);
  const input = countOf(usage["prompt_tokens"]) ?? countOf(usage["input_tokens"]);
  const output = countOf(usage["completion_tokens"]) ?? countOf(usage["output_tokens"]);
  if (input === null && output === null && total === null) return null;
  const counts = {
    inputTokens: input ?? Math.max(0, (total ?? 0) - (output ?? 0)),
    outputTokens: output ?? (input === null ? 0 : Math.max(0, (total ?? input) - input)),
    cachedInputTokens: 0,
    reasoningTokens: 0,
  };
  const promptDetails = objectOf(usage["prompt_tokens_details"]);
  const inputDetails = objectOf(usage["input_tokens_details"]);
  const outputDetails =
    objectOf(usage["completion_tokens_details"]) ?? objectOf(usage["output_tokens_details"]);
  counts.cachedInputTokens =
    countOf(promptDetails?.["cached_tokens"]) ?? countOf(inputDetails?.["cached_tokens"]) ?? 0;
  counts.reasoningTokens = countOf(outputDetails?.["reasoning_tokens"]) ?? 0;
  return withMedia(
    counts,
    usage,
    promptDetails ?? inputDetails,
    inputDetails ?? promptDetails,
    outputDetails,
  );
}

function withMedia(
  counts: Usage,
  usage: JsonObject,
  prompt: JsonObject | null,
  input: JsonObject | null,
  output: JsonObject | null,
): Usage {
  const inputOf = (name: string): number =>
    countOf(prompt?.[name]) ?? countOf(input?.[name]) ?? countOf(usage[name]) ?? 0;
  const cacheWrite = cacheWriteTokens(prompt) ?? cacheWriteTokens(input) ?? 0;
  const image = inputOf("image_tokens");
  const video = inputOf("video_tokens");
  const audio = inputOf("audio_tokens") + (countOf(output?.["audio_tokens"]) ?? 0);
  if (cacheWrite + image + video + audio === 0) return counts;
  return {
    ...counts,
    ...(cacheWrite > 0 && { cacheWriteTokens: cacheWrite }),
    ...(image > 0 && { imageTokens: image }),
    ...(audio > 0 && { audioTokens: audio }),
    ...(video > 0 && { videoTokens: video }),
  };
}

function cacheWriteTokens(details: JsonObject | null): number | null {
  const total = countOf(details?.["cache_creation_input_tokens"]);
  if (total !== null) return total;
  return countOf(objectOf(details?.["cache_creation"])?.["ephemeral_5m_input_tokens"]);
}
