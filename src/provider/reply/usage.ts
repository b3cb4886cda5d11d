import type { Usage } from "../../types.js";
import { arrayOf, countOf, objectOf, stringOf } from "../json-value.js";
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
  readonly order: number;
  readonly place: CountPlace;
}

type Counts = Partial<Record<CountName, Found>>;

const SIDES: ReadonlySet<CountName> = new Set<CountName>(["input", "output", "total"]);

/** The places as a tree of names, so that reading costs what a server sent and not what it could have sent. */
interface NameTree {
  readonly children: Map<string, NameTree>;
  place?: { readonly name: CountName; readonly rank: number; readonly place: CountPlace };
}

const TREE = treeOfPlaces();

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
  const counts = usage === null ? null : countsIn(usage);
  const sides = counts === null ? null : sidesOf(counts, signs.model ?? "");
  if (counts === null || sides === null) return null;
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
  const { input, output, total } = counts;
  if (input === undefined || output === undefined) {
    const known = input ?? output;
    if (known === undefined || total === undefined || known.tokens > total.tokens) return null;
    const other = total.tokens - known.tokens;
    return input === undefined ? [other, known.tokens] : [known.tokens, other];
  }
  const gap = total === undefined ? null : total.tokens - input.tokens - output.tokens;
  if (gap === 0) return [input.tokens, output.tokens];
  const more = moreThanSaid(counts, gap, model);
  return more === null ? null : [input.tokens + more[0], output.tokens + more[1]];
}

/** What a known shape leaves out of input and output, and so explains the gap to the total; null: nothing does. */
function moreThanSaid(counts: Counts, gap: number | null, model: string): readonly [number, number] | null {
  const of = (...names: CountName[]): number =>
    names.reduce((sum, name) => sum + (counts[name]?.tokens ?? 0), 0);
  const onTopOf = (side: "input" | "output", ...names: CountName[]): number =>
    of(...names.filter((name) => counts[name]?.place.besides === counts[side]?.place.at));
  const moreInput = onTopOf("input", "cached", "cacheWrite", "toolInput");
  const besides = [moreInput, onTopOf("output", "reasoning")] as const;
  if (gap === null) return besides;
  const media = of("image", "video", "audioInput");
  // DashScope's native total leaves media out.
  if (gap === -media) return [0, 0];
  const thought = of("reasoning");
  if (gap > 0 && thought === 0 && TOTAL_ALONE_COUNTS_THOUGHTS.test(model)) return [0, gap];
  // xAI counts reasoning in the total and not in completion_tokens (docs.x.ai, consumption and rate limits).
  const known: readonly (readonly [number, number])[] = [besides, [moreInput, 0], [0, thought], [media, 0]];
  return known.find(([onInput, onOutput]) => onInput + onOutput === gap) ?? null;
}

/** null: a side or a total is there and is no count. Such a server is not believed the rest either. */
function countsIn(usage: JsonObject): Counts | null {
  const counts: Counts = {};
  return collect(usage, TREE, counts) ? counts : null;
}

function collect(object: JsonObject, { children }: NameTree, counts: Counts): boolean {
  for (const key in object) {
    const tree = children.get(key);
    const value = object[key];
    if (tree === undefined || value === null || value === undefined) continue;
    if (tree.place === undefined) {
      for (const each of arrayOf(value)?.map(byModality) ?? [objectOf(value)]) {
        if (each !== null) collect(each, tree, counts);
      }
      continue;
    }
    const tokens = countOf(value);
    const { name, rank, place } = tree.place;
    if (tokens === null && SIDES.has(name)) return false;
    if (tokens === null) continue;
    // The first place that holds more than zero, else the first.
    const order = tokens > 0 ? rank : rank + COUNT_PLACES[name].length;
    const known = counts[name];
    if (known === undefined || order < known.order) counts[name] = { tokens, order, place };
  }
  return true;
}

/** Gemini lists details as `{modality, tokenCount}`. */
function byModality(listed: unknown): JsonObject | null {
  const each = objectOf(listed);
  const modality = stringOf(each?.["modality"]);
  return modality === null ? null : { [modality]: each?.["tokenCount"] };
}

function treeOfPlaces(): NameTree {
  const root: NameTree = { children: new Map() };
  for (const name of Object.keys(COUNT_PLACES) as CountName[]) {
    for (const [rank, place] of COUNT_PLACES[name].entries()) {
      let tree = root;
      for (const part of place.at.split(".")) {
        let next = tree.children.get(part);
        if (next === undefined) tree.children.set(part, (next = { children: new Map() }));
        tree = next;
      }
      tree.place = { name, rank, place };
    }
  }
  return root;
}
