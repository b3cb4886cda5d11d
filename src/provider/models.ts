/** How a model thinks, as far as `enable_thinking` goes. */
export type Thinking =
  /** Has a switch; the vendor's default is off. */
  | "off"
  /** Has a switch; the vendor's default is on. */
  | "on"
  /** Always thinks; no switch. */
  | "only"
  /** Never thinks; no switch. */
  | "none"
  /** Not in our table. */
  | "unknown";

/** Which of the two native generation services answers for a model. */
export type NativeFamily = "text-generation" | "multimodal-generation";

/** What a bulk runner must know of a model. null: not known, so nothing is refused on its account. */
export interface ModelTraits {
  readonly known: boolean;
  readonly thinking: Thinking;
  /** always: refuses calls that are not streamed; thinking: only while it thinks; never: must not stream. */
  readonly streaming: "free" | "always" | "thinking" | "never";
  readonly nativeFamily: NativeFamily;
  readonly jsonSchema: boolean | null;
  readonly images: boolean | null;
  readonly video: boolean | null;
  /** Qwen-MT: one user message, `translation_options`. */
  readonly translation: boolean;
  /** Whether `max_completion_tokens` is understood. */
  readonly maxCompletionTokens: boolean | null;
  readonly contextTokens: number | null;
  readonly maxOutputTokens: number | null;
}

interface ModelRow extends Partial<Omit<ModelTraits, "known">> {
  /** Matched against the lower-case model name; the first row that matches counts. */
  readonly match: RegExp;
  readonly source: string;
}

const K = 1024;
const M = 1_000_000;

const REFERENCE = "Model Studio chat and DashScope API reference, mid-2026";
const STRUCTURED = "Model Studio structured output page, Feb 2026";
const THINKING = "QwenCloud model guide, 30 Apr 2026 (thinking defaults)";
const TRANSLATION = "Model Studio machine translation page, mid-2026";
const ERRORS = "Model Studio error messages page, 23 Jun 2026 (stream-only models)";

const VISION = {
  nativeFamily: "multimodal-generation",
  images: true,
  video: true,
  jsonSchema: false,
} as const;
const TEXT = { images: false, video: false } as const;

/**
 * The models, most specific first. A dated snapshot has its line's traits.
 *
 * Undocumented guesses are marked "(guess)" and are harmless: a wrong native family or a missing stream
 * is corrected by the provider after the first refusal.
 */
const MODELS: readonly ModelRow[] = [
  {
    match: /^qwen-mt-/,
    source: `${TRANSLATION}; plus and turbo stream cumulative chunks, so none is streamed`,
    ...TEXT,
    thinking: "none",
    streaming: "never",
    translation: true,
    jsonSchema: false,
    contextTokens: 16_384,
    maxOutputTokens: 8192,
  },
  { match: /^qvq/, source: ERRORS, ...VISION, thinking: "only", streaming: "always" },
  { match: /^qwq/, source: ERRORS, ...TEXT, thinking: "only", streaming: "always", jsonSchema: false },
  {
    match: /^qwen[\d.]*-omni/,
    source: `${ERRORS}; streamed always, since audio output must be`,
    ...VISION,
    thinking: "unknown",
    streaming: "always",
  },
  {
    match: /^qwen3-vl-.*-thinking/,
    source: ERRORS,
    ...VISION,
    thinking: "only",
    streaming: "thinking",
    contextTokens: 256 * K,
  },
  { match: /^qwen3-vl-.*-instruct/, source: REFERENCE, ...VISION, thinking: "none", contextTokens: 256 * K },
  { match: /^qwen3-vl-/, source: REFERENCE, ...VISION, thinking: "off", contextTokens: 256 * K },
  { match: /^qwen(2(\.5)?)?-vl-/, source: REFERENCE, ...VISION, thinking: "none" },
  {
    match: /^qwen3\.[56]-(plus|flash)/,
    source: `${THINKING}; native family of -plus: ${REFERENCE}, of -flash (guess)`,
    ...VISION,
    thinking: "on",
    maxCompletionTokens: true,
    contextTokens: M,
  },
  {
    match: /^qwen3\.7-(plus|flash)/,
    source: `${REFERENCE}; thinking switch (guess)`,
    ...VISION,
    thinking: "off",
    maxCompletionTokens: true,
    contextTokens: M,
  },
  {
    match: /^qwen3\.7-max/,
    source: REFERENCE,
    ...TEXT,
    thinking: "off",
    jsonSchema: false,
    maxCompletionTokens: true,
    contextTokens: M,
  },
  {
    match: /^qwen3\.8-/,
    source: "third party, Aug 2026 (thinks by default)",
    thinking: "on",
    maxCompletionTokens: true,
  },
  {
    match: /^qwen3\.[5-8]-\d/,
    source: `${ERRORS}; open-source sizes (guess)`,
    nativeFamily: "multimodal-generation",
    thinking: "on",
    streaming: "thinking",
  },
  {
    match: /^qwen3-max/,
    source: `${STRUCTURED}; ${THINKING}`,
    ...TEXT,
    thinking: "off",
    jsonSchema: true,
    maxCompletionTokens: false,
    contextTokens: 256 * K,
  },
  { match: /^qwen3-coder/, source: REFERENCE, ...TEXT, thinking: "none", jsonSchema: false },
  {
    match: /^qwen3-.*-thinking/,
    source: ERRORS,
    ...TEXT,
    thinking: "only",
    streaming: "always",
    jsonSchema: false,
  },
  { match: /^qwen3-.*-instruct/, source: REFERENCE, ...TEXT, thinking: "none", jsonSchema: false },
  {
    match: /^qwen3-(next-)?\d/,
    source: `${ERRORS}: open-source Qwen3 streams while it thinks`,
    ...TEXT,
    thinking: "on",
    streaming: "thinking",
    jsonSchema: false,
  },
  {
    match: /^qwen-(plus|flash)/,
    source: `${STRUCTURED}; ${THINKING}`,
    ...TEXT,
    thinking: "off",
    jsonSchema: true,
    maxCompletionTokens: false,
    contextTokens: M,
  },
  {
    match: /^qwen-turbo/,
    source: THINKING,
    ...TEXT,
    thinking: "off",
    jsonSchema: false,
    maxCompletionTokens: false,
  },
  {
    match: /^qwen-max/,
    source: `${REFERENCE}; context of Singapore`,
    ...TEXT,
    thinking: "none",
    jsonSchema: false,
    maxCompletionTokens: false,
    contextTokens: 32 * K,
  },
  {
    match: /^qwen-long/,
    source: REFERENCE,
    ...TEXT,
    thinking: "none",
    jsonSchema: false,
    contextTokens: 10 * M,
  },
  {
    match: /^deepseek-r1/,
    source: REFERENCE,
    ...TEXT,
    thinking: "only",
    streaming: "free",
    jsonSchema: false,
    maxCompletionTokens: true,
  },
  {
    match: /^deepseek-v3\.2/,
    source: STRUCTURED,
    ...TEXT,
    thinking: "off",
    jsonSchema: true,
    maxCompletionTokens: true,
  },
  { match: /^deepseek-v4/, source: REFERENCE, ...TEXT, thinking: "off", maxCompletionTokens: true },
  { match: /^kimi-k2-thinking/, source: REFERENCE, ...TEXT, thinking: "only" },
  { match: /^kimi-k2/, source: REFERENCE, thinking: "off" },
];

const UNKNOWN: ModelTraits = {
  known: false,
  thinking: "unknown",
  streaming: "free",
  nativeFamily: "text-generation",
  jsonSchema: null,
  images: null,
  video: null,
  translation: false,
  maxCompletionTokens: null,
  contextTokens: null,
  maxOutputTokens: null,
};

const remembered = new Map<string, ModelTraits>();
/** Rows may name models freely: without a bound a hostile input would grow the memory. */
const REMEMBERED_AT_MOST = 1000;

/** What is known of a model by its name; `known: false` with harmless defaults when nothing is. */
export function modelTraits(model: string): ModelTraits {
  const found = remembered.get(model);
  if (found !== undefined) return found;
  if (remembered.size >= REMEMBERED_AT_MOST) remembered.clear();
  const traits = lookUp(model.toLowerCase());
  remembered.set(model, traits);
  return traits;
}

function lookUp(name: string): ModelTraits {
  for (const row of MODELS) {
    if (!row.match.test(name)) continue;
    const { match: _match, source: _source, ...traits } = row;
    return { ...UNKNOWN, ...traits, known: true };
  }
  return UNKNOWN;
}
