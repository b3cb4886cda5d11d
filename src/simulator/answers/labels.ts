import { createHash } from "node:crypto";

const listPatterns: readonly RegExp[] = [
  /(?:one of|labels?|categories|classes|options|标签|標籤|类别|類別|选项|選項)[^:：\n]{0,60}[:：]\s*([^\n]+)/i,
  /\b(?:one of|as either|either)\s+((?:["'`]?[\w-]+["'`]?,\s*)+(?:and|or)?\s*["'`]?[\w-]+["'`]?)/i,
];

/** A heading, then lines such as "billing: payments, invoices", up to a blank line. */
const sectionPattern =
  /^[#*\s]*(?:labels?|categories|classes|options|标签|標籤|类别|類別|选项|選項)[ *]*[:：]?[ *]*\n((?:.*\S.*(?:\n|$))+)/im;

/**
 * The labels that a prompt offers: lines below a heading, a list in the line after "one of:" and the like,
 * or bullets. Empty when none are found.
 */
export function labelsIn(prompt: string): string[] {
  const section = sectionPattern.exec(prompt)?.[1];
  const listed = section === undefined ? [] : section.trim().split("\n").map(labelOfLine).filter(isLabel);
  if (listed.length >= 2) return listed;
  for (const pattern of listPatterns) {
    const line = pattern.exec(prompt)?.[1];
    const labels = line === undefined ? [] : splitLabels(line);
    if (labels.length >= 2) return labels;
  }
  const bullets = [...prompt.matchAll(/^\s*[-*•]\s+(.{1,80})$/gm)].map((found) =>
    labelOfLine(found[1] ?? ""),
  );
  return bullets.filter(isLabel).length >= 2 ? bullets.filter(isLabel) : [];
}

function labelOfLine(line: string): string {
  return clean(line.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, "").split(/[:：(（]|\s[-–—]\s/)[0] ?? "");
}

function isLabel(label: string): boolean {
  return label !== "" && label.length <= 60;
}

function splitLabels(line: string): string[] {
  return line
    .replace(/[.。]\s.*$/, "")
    .split(/,|，|、|;|；|\||\/|\s+(?:or|and)\s+|或/)
    .map(clean)
    .filter(isLabel);
}

function clean(label: string): string {
  return label
    .trim()
    .replace(/^(?:or|and)\s+/i, "")
    .replace(/^["'`“「『*[(]+|["'`”」』*\]).。]+$/g, "")
    .trim();
}

/** One of the labels: the one that the document mentions most, else one that depends on its text alone. */
export function chooseLabel(labels: readonly string[], document: string): string {
  const text = document.toLowerCase();
  let chosen = "";
  let mostMentions = 0;
  for (const label of labels) {
    const mentions = text.split(label.toLowerCase()).length - 1;
    if (mentions > mostMentions) {
      chosen = label;
      mostMentions = mentions;
    }
  }
  if (chosen !== "") return chosen;
  const digest = createHash("sha256").update(document).digest();
  return labels[digest.readUInt32BE(0) % Math.max(labels.length, 1)] ?? "unclassified";
}
