/** Where a text stops being JSON: `offset` in UTF-16 units, and what could have stood there. */
export interface JsonFault {
  readonly offset: number;
  readonly expected: string;
}

type Awaiting = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end" | "end";

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y;

const EXPECTED: Readonly<Record<Awaiting, string>> = {
  value: "a value",
  "value or ]": "a value or `]`",
  key: "a key in double quotes",
  "key or }": "a key in double quotes or `}`",
  colon: "`:` after the key",
  "comma or end": "`,` or the closing bracket",
  end: "the end of the line",
};

/**
 * Finds the first place where a text breaks the JSON grammar, or null when it is JSON.
 *
 * For messages, after `JSON.parse` refused: its own messages give no position in every Node version.
 */
export function findJsonFault(text: string): JsonFault | null {
  const open: ("{" | "[")[] = [];
  let awaiting: Awaiting = "value";
  let offset = 0;
  const afterValue = (): Awaiting => (open.length === 0 ? "end" : "comma or end");
  for (;;) {
    offset += matchLength(SPACE, text, offset);
    if (offset === text.length) {
      return awaiting === "end" ? null : { offset, expected: EXPECTED[awaiting] };
    }
    const character = text[offset] as string;
    const inside = open.at(-1);
    const fault: JsonFault = { offset, expected: EXPECTED[awaiting] };
    const mayClose = awaiting === "comma or end" || awaiting.endsWith(inside === "{" ? "or }" : "or ]");
    if (inside !== undefined && character === (inside === "{" ? "}" : "]") && mayClose) {
      open.pop();
      awaiting = afterValue();
      offset++;
    } else if (awaiting === "comma or end" && character === ",") {
      awaiting = inside === "{" ? "key" : "value";
      offset++;
    } else if (awaiting === "colon" && character === ":") {
      awaiting = "value";
      offset++;
    } else if (character === '"' && /^(key|value)/.test(awaiting)) {
      const end = stringEnd(text, offset);
      if (typeof end !== "number") return end;
      awaiting = awaiting.startsWith("key") ? "colon" : afterValue();
      offset = end;
    } else if (!awaiting.startsWith("value")) {
      return fault;
    } else if (character === "{" || character === "[") {
      open.push(character);
      awaiting = character === "{" ? "key or }" : "value or ]";
      offset++;
    } else {
      const length = matchLength(SCALAR, text, offset);
      if (length === 0) return fault;
      offset += length;
      awaiting = afterValue();
    }
  }
}

function matchLength(pattern: RegExp, text: string, offset: number): number {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** The offset after the string's closing quote, or its fault. `offset` is at the opening quote. */
function stringEnd(text: string, offset: number): number | JsonFault {
  for (let at = offset + 1; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '"') return at + 1;
    if (character < " ") {
      return { offset: at, expected: "no raw control character in a string (write \\n, \\t or \\u00..)" };
    }
    if (character !== "\\") continue;
    const escape = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(text.slice(at, at + 6));
    if (escape === null) return { offset: at, expected: 'an escape such as \\n, \\" or \\u00e9' };
    at += escape[0].length - 1;
  }
  return { offset: text.length, expected: "the closing quote of a string" };
}
