import { bodyForms } from "./body-forms.js";
import { finishReasons } from "./finish-reasons.js";
import { usageShapes } from "./usage-shapes.js";

/** What an oddity is like comes first; the rest is for its own group. */
export type Says = readonly [says: string, ...unknown[]];

/** What can be odd about a good answer, by group, and what it is like. A call meets at most one of each group. */
export const oddities: Readonly<Record<OddGroup, Readonly<Record<string, Says>>>> = {
  usage: usageShapes,
  finish: finishReasons,
  body: bodyForms,
  text: {
    think: ["reasoning in <think> tags before the answer"],
    think_unopened: ["the same without the opening tag"],
    think_unclosed: ["<think> and nothing but reasoning, cut by its length"],
    parts: ["a list of parts where a text should be; compatible, not streamed"],
  },
};

export type OddGroup = "usage" | "finish" | "body" | "text";
export const oddGroups: readonly OddGroup[] = ["usage", "finish", "body", "text"];

/** As an error mix names it: `usage:missing`. */
export type Oddity = `${OddGroup}:${string}`;

/** What is odd about one answer. */
export type Oddities = Partial<Readonly<Record<OddGroup, string>>>;

export function isOddity(name: string): name is Oddity {
  const [group = "", variant = "", ...rest] = name.split(":");
  return (
    rest.length === 0 && Object.hasOwn(oddities, group) && Object.hasOwn(oddities[group as OddGroup], variant)
  );
}
