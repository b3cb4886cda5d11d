import { type ChatRequest, isThinking } from "./chat-request.js";
import { invalidParameter, refusedByModel } from "./error-body.js";
import { isRecord } from "./json.js";
import type { ModelTraits } from "./model-traits.js";
import { parameterProblem } from "./parameter-rules.js";
import { translationProblem } from "./translation-rules.js";
import { type VendorError, vendorErrors } from "./vendor-errors.js";

/**
 * Why Model Studio would refuse a request, by its own status, code and wording; null when it would not.
 *
 * `inputTokens` is the simulator's own count. The order is that of the vendor's layers as far as known:
 * endpoint, body, messages, parameters, then what the model itself cannot do.
 */
export function refusal(request: ChatRequest, traits: ModelTraits, inputTokens: number): VendorError | null {
  return (
    endpointProblem(request, traits) ??
    (traits.translation === null ? null : translationProblem(request)) ??
    messagesProblem(request, traits) ??
    parameterProblem(request, traits) ??
    modeProblem(request, traits) ??
    responseFormatProblem(request, traits) ??
    toolsProblem(request, traits) ??
    (inputTokens > traits.maxInputTokens
      ? refusedByModel(`Range of input length should be [1, ${traits.maxInputTokens}]`)
      : null)
  );
}

function endpointProblem(request: ChatRequest, traits: ModelTraits): VendorError | null {
  const native = request.endpoint === "text" || request.endpoint === "multimodal";
  if (!native || traits.endpoint === "either" || traits.endpoint === request.endpoint) return null;
  return invalidParameter(
    "url error, please check url！ For details, see: https://help.aliyun.com/zh/model-studio/error-code#url-error",
  );
}

const roles = ["system", "assistant", "user", "tool", "function"];

function messagesProblem(request: ChatRequest, traits: ModelTraits): VendorError | null {
  if (request.messages.length === 0) {
    return request.protocol === "dashscope"
      ? invalidParameter('Either "prompt" or "messages" must exist and cannot both be none')
      : invalidParameter("[] is too short - 'messages'");
  }
  for (const [index, message] of request.messages.entries()) {
    if (!roles.includes(message.role)) {
      return refusedByModel(
        `'${message.role}' is not one of ${JSON.stringify(roles)} - 'messages.${index}.role'`,
      );
    }
    if (message.hasParts && !traits.vision) return refusedByModel("input content must be a string.");
    if ((message.content ?? undefined) === undefined && !message.hasToolCalls) {
      return refusedByModel("The content field is a required field.");
    }
    if (message.content === "" && message.role === "user") return vendorErrors.empty_content;
    for (const url of [...message.images, ...message.videos]) {
      if (!/^(https?:\/\/|data:[^,]*;base64,|oss:\/\/)/.test(url)) {
        return refusedByModel(
          "The provided URL does not appear to be valid. Ensure it is correctly formatted.",
        );
      }
      if (url.startsWith("data:") && url.length > 10_485_760) {
        return refusedByModel("Exceeded limit on max bytes per data-uri item : 10485760'.");
      }
    }
  }
  const last = request.messages.at(-1);
  const answerable = last?.role === "user" || last?.role === "tool" || last?.partial === true;
  return answerable ? null : vendorErrors.index_error;
}

function modeProblem(request: ChatRequest, traits: ModelTraits): VendorError | null {
  const { parameters, stream } = request;
  const asked = parameters["enable_thinking"];
  if (asked === true && traits.thinking === "none") {
    return {
      ...invalidParameter("The model does not support enable_thinking."),
      nativeCode: "InvalidParameter.NotSupportEnableThinking",
    };
  }
  if (asked === false && traits.thinking === "only") {
    return refusedByModel("The value of the enable_thinking parameter is restricted to True.");
  }
  if (traits.streamOnly === "always" && !stream) {
    return invalidParameter(
      "This model only support stream mode, please enable the stream parameter to access the model. ",
    );
  }
  if (Array.isArray(parameters["modalities"]) && parameters["modalities"].includes("audio") && !stream) {
    return refusedByModel("'audio' output only support with stream=true");
  }
  if (!isThinking(request, traits.thinking)) return null;
  if (traits.streamOnly === "thinking" && !stream) {
    return invalidParameter("parameter.enable_thinking must be set to false for non-streaming calls");
  }
  if (request.messages.at(-1)?.partial === true) {
    return refusedByModel("Partial mode is not supported when enable_thinking is true");
  }
  if (request.protocol !== "dashscope") return null;
  if (request.endpoint === "text" && parameters["result_format"] !== "message") {
    return refusedByModel('The result_format parameter must be "message" when enable_thinking is true');
  }
  if (stream && parameters["incremental_output"] !== true) {
    return refusedByModel('The incremental_output parameter must be "true" when enable_thinking is true');
  }
  return null;
}

function responseFormatProblem(request: ChatRequest, traits: ModelTraits): VendorError | null {
  const format = request.parameters["response_format"];
  if (format === undefined || format === null) return null;
  const type = isRecord(format) ? format["type"] : format;
  const schema = isRecord(format) ? format["json_schema"] : undefined;
  const known = type === "text" || type === "json_object" || (type === "json_schema" && traits.jsonSchema);
  if (!known || (type === "json_schema" && !(isRecord(schema) && isRecord(schema["schema"])))) {
    return refusedByModel(
      `Unknown format of response_format, response_format should be a dict, includes 'type' and an optional key 'json_schema'. The response_format type from user is ${String(type)}.`,
    );
  }
  if (type !== "json_object") return null;
  if (isThinking(request, traits.thinking)) {
    return refusedByModel("Json mode response is not supported when enable_thinking is true");
  }
  if (!request.messages.some((message) => /json/i.test(message.text))) {
    return refusedByModel(
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    );
  }
  return null;
}

function toolsProblem(request: ChatRequest, traits: ModelTraits): VendorError | null {
  const { tools, tool_choice: choice } = request.parameters;
  if (!Array.isArray(tools) || tools.length === 0) return null;
  if (traits.translation !== null) return refusedByModel("The tool call is not supported.");
  for (const tool of tools) {
    const definition = isRecord(tool) && isRecord(tool["function"]) ? tool["function"] : {};
    if (definition["name"] === "search") return refusedByModel("Tool names are not allowed to be [search]");
  }
  if (typeof choice === "string" && choice !== "auto" && choice !== "none") {
    return refusedByModel('tool_choice is one of the strings that should be ["none", "auto"]');
  }
  if (isRecord(choice) && isThinking(request, traits.thinking)) {
    return refusedByModel(
      "The tool_choice parameter does not support being set to required or object in thinking mode",
    );
  }
  return null;
}
