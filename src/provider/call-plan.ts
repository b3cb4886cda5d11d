import type { ModelRequest } from "../types.js";
import type { Endpoint, Vendor } from "./endpoint.js";
import { modelTraits } from "./models.js";
import type { ModelTraits } from "./models.js";

/** How one request is to be called. */
export interface CallPlan {
  readonly stream: boolean;
  /** Whether the answer is billed and timed as a thinking one. */
  readonly thinking: boolean;
  /** What to send as `enable_thinking`; undefined: nothing. */
  readonly enableThinking: boolean | undefined;
}

/**
 * Answers longer than this may take the service's 300 s (at some 30-50 tokens a second): they are
 * streamed. Source: error messages page, RequestTimeOut: "use streaming output".
 */
const LONG_ANSWER_TOKENS = 8192;

/**
 * Decides on thinking and streaming.
 *
 * Thinking is on only when the job asks for it (`enableThinking`, a `thinkingBudget` or a
 * `reasoningEffort`) or the model cannot do without, and is always stated to models that have the switch:
 * some think by default and multiply the cost. Thinking, stream-only and long answers are streamed; on Batch
 * Chat, which holds calls open anyway, only those that must be.
 */
export function planCall(request: ModelRequest, endpoint: Endpoint, knownToNeedStream: boolean): CallPlan {
  const traits = modelTraits(request.model);
  const thinking = wantsThinking(request, endpoint.vendor);
  return {
    thinking,
    enableThinking: statedThinking(request, traits, endpoint.vendor, thinking),
    stream: mustStream(request, traits, endpoint, thinking, knownToNeedStream),
  };
}

/** Whether the model will think over this request. */
export function wantsThinking(request: ModelRequest, vendor: Vendor): boolean {
  const { enableThinking, thinkingBudget, reasoningEffort } = request.parameters;
  if (enableThinking !== undefined) return enableThinking;
  if (vendor === "other") return false;
  const { thinking } = modelTraits(request.model);
  if (thinking === "only") return true;
  return thinking !== "none" && (thinkingBudget !== undefined || reasoningEffort !== undefined);
}

function statedThinking(
  request: ModelRequest,
  traits: ModelTraits,
  vendor: Vendor,
  thinking: boolean,
): boolean | undefined {
  if (request.parameters.enableThinking !== undefined) return request.parameters.enableThinking;
  if (vendor === "other") return undefined;
  if (traits.thinking === "on" || traits.thinking === "off") return thinking;
  return thinking && traits.thinking === "unknown" ? true : undefined;
}

function mustStream(
  request: ModelRequest,
  traits: ModelTraits,
  endpoint: Endpoint,
  thinking: boolean,
  knownToNeedStream: boolean,
): boolean {
  if (traits.streaming === "never") return false;
  if (endpoint.vendor === "other") return thinking || knownToNeedStream;
  if (traits.streaming === "always" || knownToNeedStream) return true;
  if (thinking && traits.streaming === "thinking") return true;
  if (endpoint.batchChat) return false;
  const { maxTokens, maxCompletionTokens } = request.parameters;
  return thinking || Math.max(maxTokens ?? 0, maxCompletionTokens ?? 0) > LONG_ANSWER_TOKENS;
}
