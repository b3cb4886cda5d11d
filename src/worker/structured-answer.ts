import {
  compileSchema,
  isCut,
  parseStructured,
  ProviderError,
  type ValidateJson,
} from "../provider/index.js";
import type { Answer, ModelRequest } from "../types.js";

/**
 * How many answers a row may be paid for while none of them fits its schema. A model that missed it three
 * times will miss it again; a job with fewer `attempts` gives up earlier.
 */
const MAX_PAID_ANSWERS = 3;
const KEPT_SCHEMAS = 100;

const validators = new Map<string, ValidateJson>();

/**
 * What is wrong with an answer that was to be JSON of a shape; null when it fits or none was asked for.
 *
 * Retryable while the row has been paid for fewer than three answers (`paidBefore`: answers paid for and
 * not used); final then, and at once for an answer that was cut at its token limit, which another call
 * would only cut again. The error carries the answer's usage: it was billed.
 */
export function structureError(
  request: ModelRequest,
  answer: Answer,
  paidBefore: number,
): ProviderError | null {
  const format = request.parameters.responseFormat;
  if (format?.type !== "json_schema" || answer.toolCalls !== undefined) return null;
  const parsed = parseStructured(answer.text, validatorOf(format.jsonSchema.schema));
  if ("value" in parsed) return null;
  const wasCut = isCut(answer.finishReason);
  return new ProviderError(
    wasCut ? `the answer was cut at its token limit, so ${parsed.problem}; raise maxTokens` : parsed.problem,
    {
      disposition: wasCut || paidBefore + 1 >= MAX_PAID_ANSWERS ? "row" : "retryable",
      kind: "invalid_output",
      code: wasCut ? "output_cut" : "output_invalid",
      httpStatus: 200,
      requestId: answer.requestId,
      usage: answer.usage,
    },
  );
}

/** Schemas come out of a queue, parsed anew with each row: they are told apart by their text. */
function validatorOf(schema: unknown): ValidateJson {
  const text = JSON.stringify(schema);
  let validate = validators.get(text);
  if (validate === undefined) {
    if (validators.size >= KEPT_SCHEMAS) validators.clear();
    validate = compileSchema(schema as Readonly<Record<string, unknown>>);
    validators.set(text, validate);
  }
  return validate;
}
