import { type ChatRequest, isThinking } from "./chat-request.js";
import { invalidParameter, refusedByModel } from "./error-body.js";
import type { JsonRecord } from "./json.js";
import type { ModelTraits } from "./model-traits.js";
import type { VendorError } from "./vendor-errors.js";

type NumberRule = readonly [key: string, message: string, accepts: (value: number) => boolean];

const integer = (minimum: number, maximum: number) => (value: number) =>
  Number.isInteger(value) && value >= minimum && value <= maximum;

/** Ranges and wordings of the vendor's error table; docs.qwencloud.com "Error messages", 2026. */
const numberRules: readonly NumberRule[] = [
  ["temperature", "Temperature should be in [0.0, 2.0)", (value) => value >= 0 && value < 2],
  ["top_p", "Range of top_p should be (0.0, 1.0]", (value) => value > 0 && value <= 1],
  ["top_k", "Parameter top_k be greater than or equal to 0", integer(0, Infinity)],
  ["presence_penalty", "Presence_penalty should be in [-2.0, 2.0]", (value) => Math.abs(value) <= 2],
  ["repetition_penalty", "Repetition_penalty should be greater than 0.0", (value) => value > 0],
  ["n", "Range of n should be [1, 4]", integer(1, 4)],
  ["top_logprobs", "Range of top_logprobs should be [0, 5]", integer(0, 5)],
  [
    "thinking_budget",
    "The thinking_budget parameter must be a positive integer and not greater than 81920",
    integer(1, 81_920),
  ],
];

/** The first parameter out of its documented range, as the vendor refuses it; null when all are in range. */
export function parameterProblem(request: ChatRequest, traits: ModelTraits): VendorError | null {
  const { parameters } = request;
  for (const [key, message, accepts] of numberRules) {
    const value = parameters[key];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number") return refusedByModel(`'${key}' must be Float`);
    if (!accepts(value)) return refusedByModel(message);
  }
  return (
    lengthProblem(parameters, "max_tokens", traits) ??
    lengthProblem(parameters, "max_completion_tokens", traits) ??
    seedProblem(request) ??
    stopProblem(parameters) ??
    choicesProblem(request, traits)
  );
}

function lengthProblem(parameters: JsonRecord, key: string, traits: ModelTraits): VendorError | null {
  const value = parameters[key];
  if (value === undefined || value === null) return null;
  return typeof value === "number" && integer(1, traits.maxOutputTokens)(value)
    ? null
    : refusedByModel(`Range of ${key} should be [1, ${traits.maxOutputTokens}]`);
}

function seedProblem(request: ChatRequest): VendorError | null {
  const seed = request.parameters["seed"];
  if (seed === undefined || seed === null) return null;
  const maximum = request.protocol === "dashscope" ? Number.MAX_SAFE_INTEGER : 2 ** 31 - 1;
  if (typeof seed === "number" && integer(0, maximum)(seed)) return null;
  if (request.protocol === "dashscope") {
    return refusedByModel("Range of seed should be [0, 9223372036854775807]");
  }
  const low = typeof seed === "number" && seed < 0;
  return invalidParameter(
    `${JSON.stringify(seed)} is ${low ? "lesser than the minimum of 0" : `greater than the maximum of ${maximum}`} - 'seed'`,
  );
}

function stopProblem(parameters: JsonRecord): VendorError | null {
  const stop = parameters["stop"];
  if (stop === undefined || stop === null || typeof stop === "string") return null;
  const kinds = Array.isArray(stop) ? new Set(stop.map((item) => typeof item)) : new Set();
  if (Array.isArray(stop) && kinds.size <= 1) return null;
  return refusedByModel(
    'The "stop" parameter must be of type "str", "list[str]", "list[int]", or "list[list[int]]", and all elements within the list must be of the same type.',
  );
}

/** Several choices: only some models, outside thinking, without tools. */
function choicesProblem(request: ChatRequest, traits: ModelTraits): VendorError | null {
  const { n, tools } = request.parameters;
  if (typeof n !== "number" || n === 1) return null;
  const withTools = Array.isArray(tools) && tools.length > 0;
  return !traits.severalChoices || withTools || isThinking(request, traits.thinking)
    ? refusedByModel("Range of n should be [1, 1]")
    : null;
}
