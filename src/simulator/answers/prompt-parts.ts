/** What a prompt tells the model to do, and the text that it is to do it with. */
export interface PromptParts {
  readonly instructions: string;
  readonly document: string;
}

const instructionWords =
  /\b(?:summari[sz]e|summary|translate|translation|classify|categori[sz]e|label|extract|write|rewrite|explain|answer|describe|list|continue|generate|create|convert|reply|return|choose|read)\b|摘要|总结|總結|概括|翻译|翻譯|分类|分類|要約|翻訳|訳して|请|請|写|寫|回答/i;

/** Instructions are short; a longer paragraph is taken for the document. */
const maxInstructionLength = 600;

/**
 * Tells a prompt's instructions from its document, by delimiters (tags, triple quotes, fences, rules), by
 * a line that ends in a colon, or by paragraphs; the system message always instructs. When nothing tells
 * them apart, the user's text is the document.
 */
export function promptParts(system: string, user: string): PromptParts {
  const parts = delimited(user) ?? afterColon(user) ?? byParagraph(user);
  if (parts === null) return { instructions: system, document: user.trim() };
  return { instructions: `${system}\n${parts.instructions}`, document: parts.document.trim() };
}

/** Opening delimiters are looked for up to here: prompts put them near the beginning. */
const maxOpening = 4_000;
const openings = /<(\p{L}[\p{L}\p{N}_-]*)>|("""|'''|```)\w*\n?|^(-{3,}|={3,})[ \t]*$/gmu;

/** From the first delimiter that is closed to its last closing: a document may hold its own. */
function delimited(user: string): PromptParts | null {
  for (const found of user.slice(0, maxOpening).matchAll(openings)) {
    const closing = found[1] === undefined ? (found[2] ?? `\n${found[3]}`) : `</${found[1]}>`;
    const start = found.index + found[0].length;
    const close = user.lastIndexOf(closing);
    const end = close >= start ? close : found[3] === undefined ? -1 : user.length;
    const document = end < 0 ? "" : user.slice(start, end);
    const around = `${user.slice(0, found.index)}${user.slice(end + closing.length)}`;
    // Delimiters inside a document (a fence in an article) are not the prompt's own.
    if (document.trim() === "" || around.length > document.length + maxInstructionLength) continue;
    return { instructions: around, document };
  }
  return null;
}

/** "Translate into French: a blue shirt", or the same with the text on the next line. */
function afterColon(user: string): PromptParts | null {
  const head = user.slice(0, maxInstructionLength);
  for (const found of head.matchAll(/[:：](?=\s|[^ -~]|$)/g)) {
    const before = user.slice(0, found.index);
    const after = user.slice(found.index + 1);
    const atLineEnd = /^[ \t]*\n/.test(after);
    if (!instructionWords.test(before) || after.trim() === "") continue;
    if (!atLineEnd && /[.。!?\n]/.test(before) && !/\n/.test(after.slice(0, 2))) {
      const line = before.slice(before.lastIndexOf("\n") + 1);
      if (!instructionWords.test(line)) continue;
    }
    // "one of: a, b, c" instructs too; the document comes after it.
    const list = atLineEnd ? null : /^[^\n]*\n\s*\n?/.exec(after);
    if (/(?:one of|labels?|categories|options|标签|標籤|类别|類別)\s*(?:\([^)]*\))?$/i.test(before)) {
      const rest = list === null ? "" : after.slice(list[0].length);
      if (rest.trim() === "") continue;
      const further = afterColon(rest);
      return {
        instructions: `${before}: ${after.slice(0, list?.[0].length)}${further?.instructions ?? ""}`,
        document: further?.document ?? rest.replace(/^[A-Za-z][\w ]{0,30}:\s*/, ""),
      };
    }
    return { instructions: before, document: after };
  }
  return null;
}

function byParagraph(user: string): PromptParts | null {
  const paragraphs = user.split(/\n\s*\n/);
  const first = paragraphs[0] ?? "";
  const last = paragraphs.at(-1) ?? "";
  if (paragraphs.length < 2) return null;
  if (first.length <= maxInstructionLength && instructionWords.test(first)) {
    return { instructions: first, document: paragraphs.slice(1).join("\n\n") };
  }
  if (last.length <= maxInstructionLength && instructionWords.test(last)) {
    return { instructions: last, document: paragraphs.slice(0, -1).join("\n\n") };
  }
  return null;
}
