/** What the simulator knows of a model: enough to refuse what the vendor refuses. */
export interface ModelTraits {
  /** Which native endpoint serves it; the other one answers `url error`. */
  readonly endpoint: "text" | "multimodal" | "either";
  /** Thinking mode: not there, off or on unless asked, or always. */
  readonly thinking: "none" | "off" | "on" | "only";
  /** When a call must be streamed. */
  readonly streamOnly: "never" | "thinking" | "always";
  /** Takes images and videos, and array content. */
  readonly vision: boolean;
  readonly jsonSchema: boolean;
  /** Takes `n` above 1 (outside thinking, without tools). */
  readonly severalChoices: boolean;
  /** A qwen-mt model; `cumulative`: its stream repeats what came before. */
  readonly translation: "incremental" | "cumulative" | null;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
}

const text: ModelTraits = {
  endpoint: "text",
  thinking: "none",
  streamOnly: "never",
  vision: false,
  jsonSchema: false,
  severalChoices: false,
  translation: null,
  maxInputTokens: 1_000_000,
  maxOutputTokens: 65_536,
};
const vision: ModelTraits = { ...text, endpoint: "multimodal", vision: true, maxInputTokens: 262_144 };
const translation: ModelTraits = {
  ...text,
  translation: "incremental",
  maxInputTokens: 16_384,
  maxOutputTokens: 8_192,
};

/** A server that is not Model Studio: everything is taken. */
const permissive: ModelTraits = {
  ...text,
  endpoint: "either",
  thinking: "off",
  vision: true,
  jsonSchema: true,
  severalChoices: true,
  maxOutputTokens: Number.MAX_SAFE_INTEGER,
};

/**
 * First match counts. Endpoints, thinking defaults, stream-only models and context lengths as documented
 * in 2026: docs.qwencloud.com (chat, error messages) and alibabacloud.com/help/model-studio (models,
 * qwen-structured-output, machine-translation). qwen3.7-plus is listed under both native endpoints.
 */
const families: readonly (readonly [pattern: RegExp, traits: ModelTraits])[] = [
  [/^qwen-mt-(flash|lite)/, translation],
  [/^qwen-mt-/, { ...translation, translation: "cumulative" }],
  [/^qvq/, { ...vision, thinking: "only", streamOnly: "always" }],
  [/^qwq/, { ...text, thinking: "only", streamOnly: "always", maxInputTokens: 98_304 }],
  [/^qwen3-vl-.*thinking/, { ...vision, thinking: "only" }],
  [/^qwen3-vl/, { ...vision, thinking: "off" }],
  [/^qwen[\d.]*-(vl|omni|ocr)/, vision],
  [/^qwen3\.7-plus/, { ...vision, endpoint: "either", thinking: "on", maxInputTokens: 1_000_000 }],
  [/^qwen3\.[568]-(plus|flash)/, { ...vision, thinking: "on", maxInputTokens: 1_000_000 }],
  [/^qwen3\.7-flash/, { ...vision, thinking: "off", maxInputTokens: 1_000_000 }],
  [/^qwen3\.8/, { ...text, thinking: "on" }],
  [/^qwen3\.\d+-max/, { ...text, thinking: "off" }],
  [/^qwen3\.\d+/, { ...vision, thinking: "on" }],
  [
    /^qwen3-max/,
    { ...text, thinking: "off", jsonSchema: true, severalChoices: true, maxInputTokens: 258_048 },
  ],
  [/^qwen3-.*thinking/, { ...text, thinking: "only", streamOnly: "always", maxInputTokens: 126_976 }],
  [/^qwen3-(coder|.*instruct)/, { ...text, severalChoices: true, maxInputTokens: 204_800 }],
  [
    /^qwen3-/,
    { ...text, thinking: "on", streamOnly: "thinking", severalChoices: true, maxInputTokens: 129_024 },
  ],
  [/^qwen-(plus|flash)/, { ...text, thinking: "off", jsonSchema: true, severalChoices: true }],
  [/^qwen-turbo/, { ...text, thinking: "off", severalChoices: true }],
  [/^qwen-max/, { ...text, maxInputTokens: 30_720, maxOutputTokens: 8_192 }],
  [/^qwen-long/, { ...text, maxInputTokens: 10_000_000 }],
  [/^qwen/, text],
  [/^deepseek-v3\.2/, { ...text, thinking: "off", jsonSchema: true }],
  [/^(deepseek|kimi|glm|moonshot|minimax)/i, { ...text, thinking: "off" }],
];

/** Named by `/models`. */
export const listedModels: readonly string[] = (
  "qwen-max qwen-plus qwen-flash qwen-turbo qwen-long qwen3-max qwen3.5-plus qwen3.5-flash qwen3.6-plus " +
  "qwen3.7-max qwen3.7-plus qwen3.8-max qwen3-vl-plus qwen3-vl-flash qwen-mt-plus qwen-mt-flash " +
  "qwen-mt-lite qwen-mt-turbo qwq-plus deepseek-v3.2"
).split(" ");

const known = new Map<string, ModelTraits | null>();

/**
 * Traits by name; null for a model that does not exist: names that end in `-nope`, and with `strict`
 * every name outside the known families. Without `strict` any other name is a server's own model, which
 * takes everything.
 */
export function modelTraits(model: string, strict: boolean): ModelTraits | null {
  if (/(^|-)nope$/.test(model)) return null;
  let traits = known.get(model);
  if (traits === undefined) {
    traits = families.find(([pattern]) => pattern.test(model))?.[1] ?? null;
    if (known.size < 1_000) known.set(model, traits);
  }
  return traits ?? (strict ? null : permissive);
}
