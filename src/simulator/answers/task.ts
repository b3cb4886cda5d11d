import { chooseLabel, labelsIn } from "./labels.js";
import { promptParts } from "./prompt-parts.js";
import { summaryText } from "./summary.js";

type Task = "summary" | "translation" | "classification" | "code" | "creative" | "question" | "echo";

/** The one that is mentioned first in the instructions is what they ask for. */
const taskPatterns: readonly (readonly [Task, RegExp])[] = [
  [
    "summary",
    /summar(?:y|ies|i[sz]e|i[sz]ing)|\babstracts?\b|tl;?dr|condense|摘要|总结|總結|概括|概要|要約|まとめ/i,
  ],
  ["translation", /translat(?:e|ion|ing|or)|翻译|翻譯|翻訳|译成|譯成|译者|譯者|訳して/i],
  [
    "classification",
    /classif(?:y|ication|ier)|categori[sz]e|sentiment|\b(?:one|a single|which) (?:label|category|class)\b|one of (?:these|the following)|标签|標籤|分类|分類|归类|歸類/i,
  ],
  [
    "code",
    /\b(?:write|implement|fix|refactor|debug|review|generate|create)\b[^.\n]{0,60}\b(?:function|code|script|program|query|class)\b|\b(?:python|javascript|typescript|postgresql|sql|regexp?|bash)\b|函数|函數|代码|程式碼|プログラム/i,
  ],
  [
    "creative",
    /\b(?:story|poem|fiction|slogans?|taglines?|haiku|song|novel|dialogue|advert)\b|故事|诗|詩|小说|小說|文案|物語/i,
  ],
  [
    "question",
    /\banswer\b|[?？]\s*$|^\s*(?:what|who|when|where|why|how|which|is|are|does|do|can)\b|谁|誰|什么|什麼|怎么|回答|何|なぜ/im,
  ],
];

const language = "([A-Z]\\p{L}+(?:\\s\\([^)]{1,30}\\)|\\s[A-Z]\\p{L}+)?)";
const targetPatterns: readonly RegExp[] = [
  /^[ \t]*target language\s*(?:is|:|=)\s*([\p{L}][\p{L} ()-]{1,40})/imu,
  new RegExp(`\\binto\\s+(?:natural\\s|fluent\\s|idiomatic\\s)?${language}`, "u"),
  /(?:译|譯|翻)[^，。\n]{0,14}?((?:简体中|繁体中|繁體中|西班牙|葡萄牙|意大利|義大利|阿拉伯|印尼|[英法德日韩韓俄泰越中])[文语語])/u,
  /([\p{L}]{1,4}語)に/u,
  new RegExp(`\\b(?:to|in)\\s+${language}`, "u"),
];

/** Prompts are searched for what they ask up to here. */
const maxInstructions = 4_000;

/**
 * What the simulated model says to a prompt: plainly artificial, always with the word "simulated" in
 * front, and yet of the kind that was asked for, so that a run's files are worth looking at.
 */
export function answerText(system: string, user: string): string {
  const parts = promptParts(system, user);
  const instructions = parts.instructions.slice(0, maxInstructions);
  const task = taskOf(instructions, parts.document);
  const { document } = parts;
  if (task === "summary") return `[simulated] ${summaryText(document, instructions)}`;
  if (task === "translation") return `[simulated ${targetLanguage(instructions)}] ${document}`;
  if (task === "classification")
    return `[simulated] ${chooseLabel(labelsIn(`${instructions}\n${user.slice(0, maxInstructions)}`), document)}`;
  if (task === "code") return codeAnswer(user);
  if (task === "creative") {
    return `[simulated] Once there was a prompt that said: ${opening(user, 200)} A model that was none answered it, and so the story ends.`;
  }
  if (task === "question") return `[simulated] A real model would now answer: ${opening(user, 300)}`;
  return `[simulated] ${opening(document, 2_000)}`;
}

function taskOf(instructions: string, document: string): Task {
  return firstMentioned(instructions) ?? firstMentioned(document.slice(0, 300)) ?? "echo";
}

function firstMentioned(text: string): Task | null {
  let first: Task | null = null;
  let position = Number.POSITIVE_INFINITY;
  for (const [task, pattern] of taskPatterns) {
    const at = text.search(pattern);
    // A question mark may stand anywhere; it only counts where nothing else was asked.
    if (at < 0 || at >= position || (task === "question" && first !== null)) continue;
    first = task;
    position = at;
  }
  return first;
}

/** The language that the instructions name as the target, in their own words; "translation" when none. */
export function targetLanguage(instructions: string): string {
  for (const pattern of targetPatterns) {
    const name = pattern.exec(instructions)?.[1];
    if (name !== undefined) return name.trim();
  }
  return "translation";
}

function codeAnswer(user: string): string {
  const comment = `# ${opening(user, 120)}`;
  return `[simulated]\n\`\`\`python\n${comment}\ndef simulated_answer():\n    return "simulated"\n\`\`\``;
}

function opening(text: string, characters: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  if (line.length <= characters) return line;
  return `${Array.from(line.slice(0, characters)).slice(0, -1).join("")}…`;
}
