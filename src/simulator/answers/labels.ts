import { createHash } from "node:crypto";

const listPatterns: readonly RegExp[] = [
  /(?:one of|labels?|categories|classes|options|标签|標籤|类别|類別|选项|選項)[^:：\n]{0,60}[:：]\s*([^\n]+)/i,
  /\b(?:one of|as either|as)\s+((?:["'`]?[\w-]+["'`]?,\s*)+(?:and|or)?\s*["'`]?[\w-]+["'`]?)/i,
];

/** The labels that a prompt offers: after "one of:" and the like, in one line or as a list. Empty when none. */
export function labelsIn(prompt: string): string[] {
  for (const pattern of listPatterns) {
    const line = pattern.exec(prompt)?.[1];
    const labels = line === undefined ? [] : splitLabels(line);
    if (labels.length >= 2) return labels;
  }
  const bullets = [...prompt.matchAll(/^\s*(?:[-*•]|\d+[.)])\s+([^\n:：(]{1,60})/gm)].map((found) =>
    clean(found[1] ?? ""),
  );
  return bullets.length >= 2 ? bullets : [];
}

function splitLabels(line: string): string[] {
  return line
    .replace(/[.。]\s.*$/, "")
    .split(/,|，|、|;|；|\||\/|\s+(?:or|and)\s+|或/)
    .map(clean)
    .filter((label) => label !== "" && label.length <= 60);
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
