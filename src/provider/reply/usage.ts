import type { Usage } from "../../types.js";
import { arrayOf, countOf, objectOf } from "../json-value.js";
import type { JsonObject } from "../json-value.js";
import { COUNT_PLACES } from "./usage-places.js";
import type { CountName, CountPlace } from "./usage-places.js";

/** What the rest of the answer says about its tokens. */
export interface UsageSigns {
  /** Text, thinking or tool calls came: neither side can be zero. */
  readonly hasOutput?: boolean;
  /** As the server names it. */
  readonly model?: string | null;
}

interface Found {
  readonly tokens: number;
  readonly place: CountPlace;
}

type Counts = Record<CountName, Found | null>;

/** Taken apart once: this is read for every row. */
const PLACES = (Object.keys(COUNT_PLACES) as CountName[]).map((name) => ({
  name,
  places: COUNT_PLACES[name].map((place) => ({ place, path: place.at.split(".") })),
}));
const SIDES = [...COUNT_PLACES.input, ...COUNT_PLACES.output, ...COUNT_PLACES.total].map(({ at }) => at);

/** Its OpenAI-compatible service counts thoughts in the total alone (mozilla-ai/any-llm#1290, Portkey gateway #1458). */
const TOTAL_ALONE_COUNTS_THOUGHTS = /gemini/i;

/**
 * Reads the tokens of one attempt out of whatever shape a server wrote them in; see `usage-places.ts`.
 *
 * null: unknown, which is not zero. So are counts that are missing, not whole numbers, zero although there is an
 * answer, or at odds with each other. A count beyond the total's own sum is believed where a shape explains it.
 */
export function readUsage(value: unknown, signs: UsageSigns = {}): Usage | null {
  const usage = objectOf(value);
  if (usage === null || isMalformed(usage)) return null;
  const counts = countsIn(usage);
  const sides = sidesOf(counts, signs.model ?? "");
  if (sides === null) return null;
  const [inputTokens, outputTokens] = sides;
  if (inputTokens === 0 && (outputTokens > 0 || signs.hasOutput === true)) return null;
  if (outputTokens === 0 && signs.hasOutput === true) return null;
  const of = (name: CountName): number => counts[name]?.tokens ?? 0;
  const cacheWrite = of("cacheWrite");
  const image = of("image");
  const video = of("video");
  const audio = of("audioInput") + of("audioOutput");
  if (Math.max(of("cached"), cacheWrite) > inputTokens || image + video + of("audioInput") > inputTokens)
    return null;
  if (of("reasoning") > outputTokens || of("audioOutput") > outputTokens) return null;
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: of("cached"),
    reasoningTokens: of("reasoning"),
    ...(cacheWrite > 0 && { cacheWriteTokens: cacheWrite }),
    ...(image > 0 && { imageTokens: image }),
    ...(audio > 0 && { audioTokens: audio }),
    ...(video > 0 && { videoTokens: video }),
  };
}

/** All input and all output, or null where the counts contradict each other. */
function sidesOf(counts: Counts, model: string): readonly [number, number] | null {
  const { input, output, total, reasoning } = counts;
  const onTopOf = (side: Found, names: readonly CountName[]): number =>
    names.reduce(
      (sum, name) => sum + (counts[name]?.place.besides === side.place.at ? counts[name].tokens : 0),
      0,
    );
  if (input === null || output === null) {
    const known = input ?? output;
    if (known === null || total === null || known.tokens > total.tokens) return null;
    const other = total.tokens - known.tokens;
    return input === null ? [other, known.tokens] : [known.tokens, other];
  }
  const moreInput = onTopOf(input, ["cached", "cacheWrite", "toolInput"]);
  const moreOutput = onTopOf(output, ["reasoning"]);
  if (total === null) return [input.tokens + moreInput, output.tokens + moreOutput];
  const gap = total.tokens - input.tokens - output.tokens;
  const thought = reasoning?.tokens ?? 0;
  const media = (counts.image?.tokens ?? 0) + (counts.video?.tokens ?? 0) + (counts.audioInput?.tokens ?? 0);
  const explained = [
    [0, 0],
    [moreInput, moreOutput],
    [moreInput, 0],
    // xAI counts reasoning in the total and not in completion_tokens (docs.x.ai, consumption and rate limits).
    [0, thought],
    [media, 0],
  ].find(([more = 0, moreOut = 0]) => more + moreOut === gap);
  if (explained !== undefined)
    return [input.tokens + (explained[0] ?? 0), output.tokens + (explained[1] ?? 0)];
  if (gap > 0 && thought === 0 && TOTAL_ALONE_COUNTS_THOUGHTS.test(model)) {
    return [input.tokens, output.tokens + gap];
  }
  // DashScope's native total leaves media out.
  return gap === -media ? [input.tokens, output.tokens] : null;
}

/** A side or a total that is there and is no count: such a server is not believed the rest either. */
function isMalformed(usage: JsonObject): boolean {
  return SIDES.some((at) => usage[at] !== undefined && usage[at] !== null && countOf(usage[at]) === null);
}

function countsIn(usage: JsonObject): Counts {
  const counts = {} as Counts;
  for (const { name, places } of PLACES) {
    let found: Found | null = null;
    for (const { place, path } of places) {
      const tokens = countOf(valueAt(usage, path));
      if (tokens !== null && (found === null || found.tokens === 0)) found = { tokens, place };
    }
    counts[name] = found;
  }
  return counts;
}

/** Gemini lists details as `{modality, tokenCount}`. */
function valueAt(usage: JsonObject, path: readonly string[]): unknown {
  let value: unknown = usage;
  for (const name of path) {
    const listed = arrayOf(value)?.find((each) => objectOf(each)?.["modality"] === name);
    value = listed === undefined ? objectOf(value)?.[name] : objectOf(listed)?.["tokenCount"];
  }
  return value;
}
