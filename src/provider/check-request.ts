import type { Message, ModelRequest, Parameters, Protocol } from "../types.js";
import { wantsThinking } from "./call-plan.js";
import { checkTranslation } from "./check-translation.js";
import { hasMedia, textOf } from "./encode-request.js";
import type { Vendor } from "./endpoint.js";
import { modelTraits } from "./models.js";
import type { ModelTraits } from "./models.js";
import { checkRanges } from "./parameter-ranges.js";

export interface RequestCheck {
  /** Each makes the call fail or do something else than asked: the request must not be sent. */
  readonly problems: string[];
  /** Each is likely a mistake; the call can be made. */
  readonly warnings: string[];
}

/** Base64 text of one image or video: 10 MB. Source: visual understanding page. */
const DATA_URL_CHARACTERS = 10 * 1024 * 1024;

/** What promptmill decides itself, so that answers can be read, with the reason. */
const RESERVED_EXTRA: Readonly<Record<string, string>> = {
  n: "one row has one answer, and several would be paid for; repeat the row instead",
  stream: "promptmill streams where it must and reads both",
  stream_options: "promptmill always asks for usage",
  incremental_output: "promptmill reads increments",
  result_format: "promptmill reads messages",
  model: "set model: in the job or the row",
  messages: "set prompt: in the job, or messages in the row",
  input: "set prompt: in the job, or messages in the row",
};

/**
 * Finds what can be seen to be wrong with a request before any call, each with its reason: ranges,
 * combinations that the service refuses, shapes that the model does not take.
 *
 * What depends on the model is checked for Model Studio's models that the table knows (`vendor` "other"
 * turns it off: a local server under a Qwen name has its own rules). Never throws.
 */
export function checkRequest(
  request: ModelRequest,
  protocol: Protocol,
  vendor: Vendor = "model-studio",
): RequestCheck {
  const check: RequestCheck = { problems: [], warnings: [] };
  const traits = modelTraits(request.model);
  const thinking = wantsThinking(request, vendor);
  checkRanges(request.parameters, vendor, check.problems);
  checkExtra(request.parameters, vendor, check);
  checkMessages(request.messages, vendor, check);
  checkMedia(request.messages, request.model, traits, vendor, check);
  checkFormat(request, thinking, check);
  checkThinking(request, traits, thinking, vendor, check);
  if (vendor === "model-studio") checkStudioOptions(request.parameters, request.model, traits, check);
  if (vendor === "model-studio" && traits.translation) checkTranslation(request, check.problems);
  if (
    request.parameters.translationOptions !== undefined &&
    !traits.translation &&
    vendor === "model-studio"
  ) {
    check.problems.push(`translation options are for qwen-mt models, not for ${request.model}`);
  }
  if (protocol === "dashscope" && vendor === "other")
    check.problems.push("the dashscope protocol is Model Studio's own");
  return check;
}

function checkExtra(parameters: Parameters, vendor: Vendor, { problems, warnings }: RequestCheck): void {
  for (const [name, value] of Object.entries(parameters.extra ?? {})) {
    const reason = RESERVED_EXTRA[name];
    if (reason !== undefined && Object.hasOwn(RESERVED_EXTRA, name) && !(name === "n" && value === 1)) {
      problems.push(`extra.${name} cannot be set: ${reason}`);
    }
    if (name === "frequency_penalty" && vendor === "model-studio") {
      warnings.push(
        "extra.frequency_penalty is not in Model Studio's reference; presencePenalty and repetitionPenalty are",
      );
    }
  }
}

function checkMessages(
  messages: readonly Message[],
  vendor: Vendor,
  { problems, warnings }: RequestCheck,
): void {
  const last = messages.at(-1);
  if (last === undefined) {
    problems.push("there are no messages");
    return;
  }
  messages.forEach((message, index) => {
    const place = `message ${index + 1} (${message.role})`;
    if (message.partial === true && (index !== messages.length - 1 || message.role !== "assistant")) {
      problems.push(`${place} is partial: only the last message can be, and its role must be assistant`);
    }
    const empty = textOf(message.content).trim() === "" && !hasMedia(message.content);
    if (empty && message.toolCalls === undefined && message.role !== "tool") {
      problems.push(`${place} is empty: the service refuses messages without content`);
    }
    if (message.role === "tool" && message.toolCallId === undefined) {
      problems.push(`${place} does not say which tool call it answers (toolCallId)`);
    }
  });
  if (vendor === "other") {
    if (last.partial === true) warnings.push("partial mode is Model Studio's; other servers may ignore it");
  } else if (last.role === "system" || (last.role === "assistant" && last.partial !== true)) {
    problems.push(
      `the last message has role ${last.role}: the service answers a user or tool message, or continues a partial one`,
    );
  }
}

function checkMedia(
  messages: readonly Message[],
  model: string,
  traits: ModelTraits,
  vendor: Vendor,
  { problems }: RequestCheck,
): void {
  for (const message of messages) {
    if (typeof message.content === "string") continue;
    for (const part of message.content) {
      if (part.type === "text") continue;
      const takes = part.type === "image" ? traits.images : traits.video;
      if (vendor === "model-studio" && takes === false) {
        problems.push(`${model} does not take ${part.type}s; qwen3-vl-plus and qwen3-vl-flash do`);
      }
      if (!/^(https?:\/\/|data:|oss:\/\/)/i.test(part.url)) {
        problems.push(
          `${part.type} ${JSON.stringify(part.url.slice(0, 80))} is no http(s), data: or oss:// URL`,
        );
      }
      if (/^data:/i.test(part.url) && part.url.length > DATA_URL_CHARACTERS) {
        problems.push(
          `a data: URL has ${part.url.length} characters, above the limit of ${DATA_URL_CHARACTERS}; give a public URL`,
        );
      }
      if (/^oss:/i.test(part.url) && vendor === "other") problems.push("oss:// URLs are Model Studio's own");
    }
  }
}

/** json_schema is asked for in another way where a model does not take it: see `structuredRequest`. */
function checkFormat(request: ModelRequest, thinking: boolean, { problems }: RequestCheck): void {
  const format = request.parameters.responseFormat;
  if (format === undefined || format.type === "text") return;
  if (format.type !== "json_schema") {
    if (thinking)
      problems.push(
        "json_object output and thinking exclude each other: set enableThinking: false or use an output schema",
      );
    if (!request.messages.some((message) => /json/i.test(textOf(message.content)))) {
      problems.push('json_object output needs the word "json" in a message, or the service refuses the call');
    }
    return;
  }
  if (!/^[\w-]{1,64}$/.test(format.jsonSchema.name)) {
    problems.push(
      `the schema's name must be 1 to 64 letters, digits, _ or -, not ${JSON.stringify(format.jsonSchema.name.slice(0, 80))}`,
    );
  }
}

function checkThinking(
  request: ModelRequest,
  traits: ModelTraits,
  thinking: boolean,
  vendor: Vendor,
  { problems, warnings }: RequestCheck,
): void {
  const { parameters, model } = request;
  if (vendor === "model-studio") {
    if (traits.thinking === "only" && parameters.enableThinking === false) {
      problems.push(`${model} always thinks: enableThinking: false is refused`);
    }
    if (traits.thinking === "none" && parameters.enableThinking === true)
      problems.push(`${model} cannot think: remove enableThinking`);
    if (traits.thinking === "none" && parameters.thinkingBudget !== undefined)
      warnings.push(`thinkingBudget has no effect on ${model}`);
  }
  if (thinking && request.messages.at(-1)?.partial === true)
    problems.push("partial mode and thinking exclude each other");
  if (thinking && typeof parameters.toolChoice === "object" && parameters.toolChoice !== null) {
    problems.push("a tool cannot be forced (toolChoice) while the model thinks");
  }
  if (parameters.enableThinking === false && parameters.thinkingBudget !== undefined) {
    warnings.push("thinkingBudget has no effect while enableThinking is false");
  }
  if (parameters.reasoningEffort !== undefined && parameters.thinkingBudget !== undefined) {
    warnings.push(
      "reasoningEffort and thinkingBudget are two ways to say one thing; some models refuse both together",
    );
  }
}

function checkStudioOptions(
  parameters: Parameters,
  model: string,
  traits: ModelTraits,
  { problems, warnings }: RequestCheck,
): void {
  const { maxTokens, maxCompletionTokens } = parameters;
  if (maxTokens !== undefined && maxCompletionTokens !== undefined) {
    warnings.push(
      "maxTokens and maxCompletionTokens are both set: the one that is reached first cuts the answer",
    );
  }
  if (maxCompletionTokens !== undefined && traits.maxCompletionTokens === false) {
    warnings.push(`${model} is not known to understand maxCompletionTokens; use maxTokens`);
  }
  const limit = traits.maxOutputTokens;
  if (limit !== null && Math.max(maxTokens ?? 0, maxCompletionTokens ?? 0) > limit) {
    problems.push(
      `${model} answers with ${limit} tokens at most, ${Math.max(maxTokens ?? 0, maxCompletionTokens ?? 0)} are asked for`,
    );
  }
  if (parameters.topLogprobs !== undefined && parameters.logprobs !== true)
    problems.push("topLogprobs needs logprobs: true");
  if (parameters.searchOptions !== undefined && parameters.enableSearch !== true) {
    warnings.push("searchOptions has no effect without enableSearch: true");
  }
  if (parameters.vlHighResolutionImages !== undefined && traits.images === false) {
    warnings.push(`vlHighResolutionImages has no effect on ${model}`);
  }
}
