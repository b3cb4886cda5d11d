import { isSimulatedFault, type SimulatedFault, simulatedFaults } from "./faults.js";
import { isOddity, oddities, type OddGroup } from "./oddities.js";

const numberKeys = [
  "times",
  "delay",
  "input_tokens",
  "output_tokens",
  "cached",
  "cache_write",
  "status",
  "retry_after",
  "fragment",
] as const;
/** Their values reach to the end of the marker and may hold `;` and `=`. */
const greedyKeys = ["answer", "reasoning", "message"] as const;
const textKeys = ["finish", "code", ...greedyKeys] as const;
/** `finish` takes any word besides, for what a client does with the unknown. */
const oddKeys = ["usage", "body", "text"] as const;

type NumberKey = (typeof numberKeys)[number];
type TextKey = (typeof textKeys)[number] | (typeof oddKeys)[number];

/** What a prompt asks of the simulator; docs/simulator.md explains the keys. */
export type Markers = Partial<Readonly<Record<NumberKey, number> & Record<TextKey, string>>> & {
  readonly fault?: SimulatedFault;
};

const markerPattern = /\[\[sim:((?:(?!\]\])[\s\S])*)\]\]/g;

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
  return found;
}

function readMarker(marker: string, found: Record<string, unknown>): string | null {
  let rest = marker;
  while (rest.trim() !== "") {
    const equals = rest.indexOf("=");
    if (equals < 0) return `expected key=value, received ${JSON.stringify(rest)}.`;
    const key = rest.slice(0, equals).trim();
    const semicolon = includes(greedyKeys, key) ? -1 : rest.indexOf(";", equals);
    const end = semicolon < 0 ? rest.length : semicolon;
    const value = rest.slice(equals + 1, end);
    const problem = valueProblem(key, value);
    if (problem !== null) return problem;
    found[key] = includes(numberKeys, key) ? Number(value) : value;
    rest = rest.slice(end + 1);
  }
  return null;
}

function valueProblem(key: string, value: string): string | null {
  if (includes(numberKeys, key)) {
    const isNumber = value.trim() !== "" && Number(value) >= 0;
    return isNumber ? null : `${key} must be a number from 0, received ${value}.`;
  }
  if (includes(textKeys, key)) return null;
  if (key === "fault") {
    const known = simulatedFaults.join(", ");
    return isSimulatedFault(value) ? null : `unknown fault ${value}. Known: ${known}.`;
  }
  if (includes(oddKeys, key)) {
    const known = Object.keys(oddities[key as OddGroup]).join(", ");
    return isOddity(`${key}:${value}`) ? null : `unknown ${key} ${value}. Known: ${known}.`;
  }
  const known = ["fault", ...oddKeys, ...numberKeys, ...textKeys].join(", ");
  return `unknown key ${JSON.stringify(key)}. Known: ${known}.`;
}

function includes(keys: readonly string[], key: string): boolean {
  return keys.includes(key);
}

/** What `times` limits to the first calls of a request. */
const limited = ["fault", "status", "finish", ...oddKeys];

/** What the markers ask of the `callNumber`-th call of their request. */
export function markersOfCall(markers: Markers, callNumber: number): Markers {
  if (callNumber <= (markers.times ?? Infinity)) return markers;
  return Object.fromEntries(Object.entries(markers).filter(([key]) => !limited.includes(key)));
}

/** The text as a model would see it. */
export function withoutMarkers(text: string): string {
  return text.includes("[[sim:") ? text.replace(markerPattern, "").trim() : text;
}
