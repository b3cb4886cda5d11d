import { isSimulatedFault, simulatedFaults, type SimulatedFault } from "./faults.js";

/** What a prompt asks of the simulator; see the module docstring of index.ts for the keys. */
export interface Markers {
  readonly fault: SimulatedFault | null;
  /** The fault is met by this many first calls of the request; Infinity when not given. */
  readonly times: number;
  readonly delayMs: number | null;
  readonly finish: string | null;
  readonly answer: string | null;
  readonly reasoning: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedTokens: number | null;
  readonly cacheWriteTokens: number | null;
  /** `none`: no usage at all; `plain`: without the details fields. */
  readonly usage: "none" | "plain" | null;
  /** An error of the test's own making, for what classification does with the unknown. */
  readonly status: number | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly retryAfterSeconds: number | null;
  /** Streams are written in pieces of this many bytes, whatever they cut through. */
  readonly fragmentBytes: number | null;
}

export const noMarkers: Markers = {
  fault: null,
  times: Number.POSITIVE_INFINITY,
  delayMs: null,
  finish: null,
  answer: null,
  reasoning: null,
  inputTokens: null,
  outputTokens: null,
  cachedTokens: null,
  cacheWriteTokens: null,
  usage: null,
  status: null,
  code: null,
  message: null,
  retryAfterSeconds: null,
  fragmentBytes: null,
};

const markerPattern = /\[\[sim:((?:(?!\]\])[\s\S])*)\]\]/g;

const numberKeys: Readonly<Record<string, keyof Markers>> = {
  times: "times",
  delay: "delayMs",
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  cached: "cachedTokens",
  cache_write: "cacheWriteTokens",
  status: "status",
  retry_after: "retryAfterSeconds",
  fragment: "fragmentBytes",
};
const textKeys: Readonly<Record<string, keyof Markers>> = {
  finish: "finish",
  answer: "answer",
  reasoning: "reasoning",
  code: "code",
  message: "message",
};
/** Their values reach to the end of the marker and may hold `;` and `=`. */
const greedyKeys = new Set(["answer", "reasoning", "message"]);

/**
 * Reads every `[[sim:key=value;…]]` in a text, later ones over earlier ones. Returns a sentence instead
 * when one cannot be read, so that a mistyped marker is refused rather than ignored.
 */
export function readMarkers(text: string): Markers | string {
  const found: Record<string, unknown> = {};
  for (const match of text.matchAll(markerPattern)) {
    const problem = readMarker(match[1] ?? "", found);
    if (problem !== null) return `Simulator marker ${match[0]}: ${problem}`;
  }
  return { ...noMarkers, ...found };
}

function readMarker(marker: string, found: Record<string, unknown>): string | null {
  let rest = marker;
  while (rest.trim() !== "") {
    const equals = rest.indexOf("=");
    if (equals < 0) return `expected key=value, received ${JSON.stringify(rest)}.`;
    const key = rest.slice(0, equals).trim();
    const semicolon = greedyKeys.has(key) ? -1 : rest.indexOf(";", equals);
    const end = semicolon < 0 ? rest.length : semicolon;
    const problem = readEntry(key, rest.slice(equals + 1, end), found);
    if (problem !== null) return problem;
    rest = rest.slice(end + 1);
  }
  return null;
}

function readEntry(key: string, value: string, found: Record<string, unknown>): string | null {
  const numberKey = numberKeys[key];
  if (numberKey !== undefined) {
    const number = Number(value);
    if (value.trim() === "" || !(number >= 0)) return `${key} must be a number from 0, received ${value}.`;
    found[numberKey] = number;
    return null;
  }
  const textKey = textKeys[key];
  if (textKey !== undefined) {
    found[textKey] = value;
    return null;
  }
  if (key === "fault") {
    if (!isSimulatedFault(value)) return `unknown fault ${value}. Known: ${simulatedFaults.join(", ")}.`;
    found["fault"] = value;
    return null;
  }
  if (key === "usage") {
    if (value !== "none" && value !== "plain") return `usage must be none or plain, received ${value}.`;
    found["usage"] = value;
    return null;
  }
  const known = ["fault", "usage", ...Object.keys(numberKeys), ...Object.keys(textKeys)];
  return `unknown key ${JSON.stringify(key)}. Known: ${known.join(", ")}.`;
}

/** The text as a model would see it. */
export function withoutMarkers(text: string): string {
  return text.includes("[[sim:") ? text.replace(markerPattern, "").trim() : text;
}
