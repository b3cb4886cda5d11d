import type { ModelRequest } from "../types.js";
import { arrayOf, nonEmpty, objectOf } from "./json-value.js";

const OPTION_NAMES = ["source_lang", "target_lang", "terms", "tm_list", "domains"];

/**
 * The rules of qwen-mt: exactly one user message of text, `translation_options` with a target language,
 * pairs of `{source, target}` as terms and memory, `domains` an English sentence. Adds to `problems`.
 * Source: Model Studio machine translation page, mid-2026.
 */
export function checkTranslation(request: ModelRequest, problems: string[]): void {
  const { messages, parameters, model } = request;
  const [only] = messages;
  if (messages.length !== 1 || only?.role !== "user") {
    const got = messages.map((message) => message.role).join(", ");
    problems.push(
      `${model} takes exactly one user message and no system message, not ${got === "" ? "none" : got}`,
    );
  } else if (typeof only.content !== "string" && only.content.some((part) => part.type !== "text")) {
    problems.push(`${model} takes text only`);
  }
  const options = parameters.translationOptions;
  if (options === undefined) {
    problems.push(`${model} needs translation options with a target language`);
  } else {
    checkOptions(options, problems);
  }
  if (parameters.tools !== undefined) problems.push(`${model} takes no tools`);
  if (parameters.enableSearch === true) problems.push(`${model} cannot search`);
  if (parameters.responseFormat !== undefined && parameters.responseFormat.type !== "text") {
    problems.push(`${model} answers with text, not ${parameters.responseFormat.type}`);
  }
}

function checkOptions(options: Readonly<Record<string, unknown>>, problems: string[]): void {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.includes(name))
      problems.push(`translation option ${name} is not known; known are ${OPTION_NAMES.join(", ")}`);
  }
  if (nonEmpty(options["target_lang"]) === null)
    problems.push("translation options need target_lang, a language such as English or en");
  if (options["target_lang"] === "auto") problems.push("target_lang cannot be auto");
  if (options["source_lang"] !== undefined && nonEmpty(options["source_lang"]) === null) {
    problems.push("source_lang must be a language or auto");
  }
  if (options["domains"] !== undefined && typeof options["domains"] !== "string") {
    problems.push("domains must be a string, an English description of the field and style");
  }
  checkPairs("terms", options["terms"], problems);
  checkPairs("tm_list", options["tm_list"], problems);
}

function checkPairs(name: string, value: unknown, problems: string[]): void {
  if (value === undefined) return;
  const pairs = arrayOf(value);
  const bad = pairs?.findIndex(
    (pair) => nonEmpty(objectOf(pair)?.["source"]) === null || nonEmpty(objectOf(pair)?.["target"]) === null,
  );
  if (pairs === null) problems.push(`${name} must be a list of {source, target}`);
  else if (bad !== undefined && bad !== -1)
    problems.push(`${name}[${bad}] must have a source and a target, both with text`);
}
