import type { ChatRequest } from "./chat-request.js";
import { invalidParameter, refusedByModel } from "./error-body.js";
import { isRecord } from "./json.js";
import { type VendorError, vendorErrors } from "./vendor-errors.js";

/** Codes of the 92 languages of qwen-mt; alibabacloud.com/help/model-studio/machine-translation, 2026. */
const languageCodes = (
  "en zh zh_tw ru ja ko es fr pt de it th vi id ms ar hi he my ta ur bn pl nl ro tr km lo yue cs el sv hu da fi " +
  "uk bg sr te af hy as ast eu be bs ca ceb hr arz et gl ka gu is jv kn kk lv lt lb mk mai mt mr acm ary ars ne az " +
  "apc uz nb nn oc or pag scn sd si sk sl sq sw tl ajp tg aeb acq"
).split(" ");

/** Names as the vendor's table has them, where a code's usual English name is another. */
const otherNames = [
  "Chinese",
  "Traditional Chinese",
  "Cantonese",
  "Tagalog",
  "Norwegian Bokmål",
  "Norwegian Nynorsk",
  "Western Persian",
  "Burmese",
  "North Azerbaijani",
  "Northern Uzbek",
  "Egyptian Arabic",
];

const languages = supportedLanguages();

function supportedLanguages(): ReadonlySet<string> {
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const all = [...languageCodes, ...otherNames];
  for (const code of languageCodes) all.push(names.of(code.replace("_", "-")) ?? code);
  return new Set(all.map((name) => name.toLowerCase()));
}

/**
 * The rules of qwen-mt: exactly one message, of role user, no parts, and `translation_options` with a
 * target language, its values of the documented types.
 */
export function translationProblem(request: ChatRequest): VendorError | null {
  if (request.messages.some((message) => message.role !== "user" && message.role !== "assistant")) {
    return vendorErrors.role_error;
  }
  const last = request.messages.at(-1);
  if (last !== undefined && last.role !== "user") return vendorErrors.index_error;
  if (request.messages.length > 1) return refusedByModel("messages length only support 1");
  return optionsProblem(request.parameters["translation_options"]);
}

function optionsProblem(options: unknown): VendorError | null {
  if (!isRecord(options)) return refusedByModel("Field required: translation_options");
  for (const key of ["source_lang", "target_lang"]) {
    const language = options[key];
    if (language === undefined && key === "source_lang") continue;
    if (language === undefined) return refusedByModel(`Field required: translation_options.${key}`);
    const known =
      typeof language === "string" &&
      (languages.has(language.toLowerCase()) || (key === "source_lang" && language === "auto"));
    if (!known) return invalidParameter("Current language settings are not supported!");
  }
  for (const key of ["terms", "tm_list"]) {
    const pairs = options[key];
    if (pairs !== undefined && !(Array.isArray(pairs) && pairs.every(isPair))) {
      return refusedByModel(`Input should be a valid list of source and target: translation_options.${key}`);
    }
  }
  const { domains } = options;
  if (domains !== undefined && typeof domains !== "string") {
    return refusedByModel("Input should be a valid string: translation_options.domains");
  }
  return null;
}

function isPair(value: unknown): boolean {
  return isRecord(value) && typeof value["source"] === "string" && typeof value["target"] === "string";
}
