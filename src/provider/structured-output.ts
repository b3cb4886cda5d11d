import { createRequire } from "node:module";
import type * as ajv from "ajv";
import type * as ajv2019 from "ajv/dist/2019.js";
import type * as ajv2020 from "ajv/dist/2020.js";
import { UsageError } from "../errors.js";
import type { Parameters } from "../types.js";
import { withinTime } from "./bounded-time.js";
import { modelTraits } from "./models.js";
import { safeText } from "./redact.js";
import { splitThoughts } from "./reply/thinking.js";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Says what is wrong with a value, or null when it fits. */
export type ValidateJson = (value: unknown) => string | null;

/** `json` is the text that the value was read from. */
export type StructuredAnswer =
  { readonly value: unknown; readonly json: string } | { readonly problem: string };

const SHOWN_PROBLEMS = 3;
const PROBLEM_CHARACTERS = 500;
/** What lets the time of a check grow beyond that of reading the answer: patterns that backtrack, pairs, recursion. */
const MAY_RUN_AWAY = /"(pattern|patternProperties|uniqueItems|\$ref|\$dynamicRef|\$recursiveRef)":/;
const CHECK_DEADLINE_MS = 500;

const require = createRequire(import.meta.url);

/**
 * How to ask for output of a shape: `json_schema` where the model supports it, else `json_object` with
 * the schema in the prompt (`instruction`, to be added to the system message). While the model thinks,
 * json_object is refused, so the instruction stands alone. Source: structured output page, Feb 2026.
 */
export function structuredOutputFor(
  model: string,
  schema: JsonSchema,
  thinking: boolean,
  name = "answer",
): {
  readonly responseFormat: NonNullable<Parameters["responseFormat"]>;
  readonly instruction: string | null;
} {
  if (modelTraits(model).jsonSchema === true) {
    return {
      responseFormat: { type: "json_schema", jsonSchema: { name, schema, strict: true } },
      instruction: null,
    };
  }
  return {
    responseFormat: { type: thinking ? "text" : "json_object" },
    instruction: jsonInstruction(schema),
  };
}

/** Words that make a model without json_schema answer in a schema; holds the word JSON, which json_object needs. */
export function jsonInstruction(schema: JsonSchema): string {
  return `Answer with one JSON value that fits this JSON Schema, and nothing else: no explanation, no code fence.\n${JSON.stringify(schema)}`;
}

/**
 * Compiles a user's JSON Schema (draft-07, 2019-09 or 2020-12 by its `$schema`, draft-07 without).
 * Remote references are not fetched, `format` is not checked. A check that may run away is broken off in time; its
 * answer then counts as one that does not fit. UsageError when it is no schema.
 */
export function compileSchema(schema: JsonSchema): ValidateJson {
  let validate: ajv.ValidateFunction;
  try {
    const draft = typeof schema["$schema"] === "string" ? schema["$schema"] : "";
    validate = validatorFor(draft).compile(schema);
  } catch (error) {
    throw new UsageError(
      `output.schema is no JSON Schema: ${error instanceof Error ? error.message : String(error)}`,
      {
        code: "invalid_schema",
        hint: "Correct output.schema in the job; remote $ref and draft-04 are not supported.",
        cause: error,
      },
    );
  }
  const check = (value: unknown): string | null => (validate(value) ? null : describe(validate.errors ?? []));
  if (!MAY_RUN_AWAY.test(JSON.stringify(schema))) return check;
  return (value) => {
    let problem: string | null = null;
    const isChecked = withinTime(CHECK_DEADLINE_MS, () => {
      problem = check(value);
    });
    return isChecked
      ? problem
      : `it could not be checked within ${CHECK_DEADLINE_MS} ms: simplify the schema's patterns`;
  };
}

/** Loaded here: 100 files that only jobs with a schema need. */
function validatorFor(draft: string): ajv.Ajv {
  const options: ajv.Options = { allErrors: true, strict: false, validateFormats: false };
  if (draft.includes("2020-12")) {
    const { Ajv2020 } = require("ajv/dist/2020.js") as typeof ajv2020;
    return new Ajv2020(options);
  }
  if (draft.includes("2019-09")) {
    const { Ajv2019 } = require("ajv/dist/2019.js") as typeof ajv2019;
    return new Ajv2019(options);
  }
  const { Ajv } = require("ajv") as typeof ajv;
  return new Ajv(options);
}

/**
 * Reads a structured answer: JSON, alone or in a code fence, after thoughts or not, that fits. The problem, in one sentence, when
 * it is not JSON or does not fit; never throws.
 */
export function parseStructured(text: string, validate: ValidateJson): StructuredAnswer {
  const trimmed = splitThoughts(text).text.trim();
  if (trimmed === "") return { problem: "the answer is empty" };
  const whole = parse(trimmed);
  const parsed = whole ?? parse(fenced(trimmed) ?? "");
  if (parsed === null)
    return { problem: `the answer is not JSON: it begins with ${JSON.stringify(trimmed.slice(0, 40))}` };
  const problem = validate(parsed.value);
  return problem === null ? parsed : { problem: `the answer does not fit the schema: ${problem}` };
}

function parse(json: string): { readonly value: unknown; readonly json: string } | null {
  try {
    return { value: JSON.parse(json) as unknown, json };
  } catch {
    return null;
  }
}

/** What stands in the first code fence; the closing one may be missing, as in an answer that was cut. */
function fenced(text: string): string | null {
  const open = /(?:^|\n)[ \t]*```[\w-]*[ \t]*\r?\n/.exec(text);
  if (open === null) return null;
  const from = open.index + open[0].length;
  const close = text.indexOf("```", from);
  return text.slice(from, close === -1 ? undefined : close);
}

function describe(errors: readonly ajv.ErrorObject[]): string {
  const shown = errors.slice(0, SHOWN_PROBLEMS).map((error) => {
    const place = error.instancePath === "" ? "the value" : error.instancePath;
    return `${place} ${error.message ?? "is not allowed"}${detail(error)}`;
  });
  const more = errors.length - shown.length;
  return safeText(shown.join("; "), null, PROBLEM_CHARACTERS) + (more > 0 ? `; and ${more} more` : "");
}

function detail(error: ajv.ErrorObject): string {
  const parameters = error.params as Readonly<Record<string, unknown>>;
  if (error.keyword === "enum") return ` (${JSON.stringify(parameters["allowedValues"])})`;
  if (error.keyword === "additionalProperties") return ` (${String(parameters["additionalProperty"])})`;
  return "";
}
