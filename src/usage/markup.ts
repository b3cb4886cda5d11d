/** Text that is markup already. Only `markup` and `joinMarkup` make it, so nothing gets in unescaped. */
export class Markup {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

type Value = Markup | string | number | null | readonly Markup[];

/** Tag for HTML and SVG: every value is escaped unless it is markup; null gives nothing. */
export function markup(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  let text = strings[0] ?? "";
  for (const [index, value] of values.entries()) text += rendered(value) + (strings[index + 1] ?? "");
  return new Markup(text);
}

/** Escapes for text and for attributes in double or single quotes. */
export function escapeMarkup(text: string): string {
  return (
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&#39;")
      // Control characters have no place in HTML; bidirectional overrides could disguise a name.
      .replaceAll(/[^\P{Cc}\n\r\t]|[\u202a-\u202e\u2066-\u2069]/gu, "\ufffd")
  );
}

function rendered(value: Value): string {
  if (value === null) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map((part) => part.text).join("");
  return escapeMarkup(String(value));
}
