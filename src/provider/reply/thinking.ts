/** How models mark thoughts in their text where the server leaves them there. */
const MARKS: readonly { readonly open: RegExp; readonly close: RegExp; readonly source: string }[] = [
  { open: /^\s*<think>/i, close: /<\/think>/i, source: "DeepSeek R1, Qwen, GLM, MiniMax" },
  { open: /^\s*<thinking>/i, close: /<\/thinking>/i, source: "Granite, prompts for Claude" },
  { open: /^\s*<thought>/i, close: /<\/thought>/i, source: "Gemini's compatible service" },
  { open: /^\s*<seed:think>/i, close: /<\/seed:think>/i, source: "Seed-OSS" },
  { open: /^\s*\[THINK\]/, close: /\[\/THINK\]/, source: "Magistral" },
  { open: /^\s*◁think▷/, close: /◁\/think▷/, source: "Kimi" },
];
const MAY_BE_OPEN = /^\s*[<[◁]/;
const THINK_ENDS = /<\/think>/i;

export interface Thoughts {
  readonly text: string;
  /** null: there was none. */
  readonly reasoning: string | null;
}

/**
 * Parts the thoughts at the start of an answer from its text. A block that is not closed is all there is: the
 * answer was cut. Many chat templates open the block themselves, so that the answer holds its end alone.
 */
export function splitThoughts(answer: string): Thoughts {
  let block = leadingBlock(answer) ?? headlessBlock(answer);
  if (block === null) return { text: answer, reasoning: null };
  const thoughts: string[] = [];
  let text = "";
  for (; block !== null; block = leadingBlock(text)) {
    thoughts.push(block.inside.trim());
    text = block.after;
  }
  const reasoning = thoughts.filter((thought) => thought !== "").join("\n\n");
  return { text: text.trimStart(), reasoning: reasoning === "" ? null : reasoning };
}

interface Block {
  readonly inside: string;
  readonly after: string;
}

function leadingBlock(answer: string): Block | null {
  if (!MAY_BE_OPEN.test(answer)) return null;
  for (const { open, close } of MARKS) {
    const begin = open.exec(answer);
    if (begin === null) continue;
    const body = answer.slice(begin[0].length);
    const end = close.exec(body);
    if (end === null) return { inside: body, after: "" };
    return { inside: body.slice(0, end.index), after: body.slice(end.index + end[0].length) };
  }
  return null;
}

/** A closing mark alone; one in code or in quotes is spoken of, not used. */
function headlessBlock(answer: string): Block | null {
  const end = answer.includes("</") ? THINK_ENDS.exec(answer) : null;
  if (end === null) return null;
  const inside = answer.slice(0, end.index);
  const isQuoted = /[`"'“‘「]$/.test(inside) || inside.split("```").length % 2 === 0;
  if (isQuoted || /<think>/i.test(inside)) return null;
  return { inside, after: answer.slice(end.index + end[0].length) };
}
