import iconv from "iconv-lite";
import type { UsageError } from "../errors.js";
import { inputError, WrongEncoding } from "./input-error.js";

const BYTE_ORDER_MARKS: readonly { readonly bytes: readonly number[]; readonly encoding: string }[] = [
  { bytes: [0xff, 0xfe, 0x00, 0x00], encoding: "utf-32le" },
  { bytes: [0x00, 0x00, 0xfe, 0xff], encoding: "utf-32be" },
  { bytes: [0xef, 0xbb, 0xbf], encoding: "utf-8" },
  { bytes: [0xff, 0xfe], encoding: "utf-16le" },
  { bytes: [0xfe, 0xff], encoding: "utf-16be" },
];

/** Names that iconv-lite knows and that are no encodings of text. */
const NOT_TEXT = new Set(["base64", "hex", "binary"]);

const UNICODE_NAMES: Readonly<Record<string, string>> = {
  utf8: "utf-8",
  unicode11utf8: "utf-8",
  utf16le: "utf-16le",
  ucs2: "utf-16le",
  utf16be: "utf-16be",
  utf32le: "utf-32le",
  utf32be: "utf-32be",
};

const COMMON_ENCODINGS =
  "utf-8, utf-16le, utf-16be, gb18030, gbk, big5, shift_jis, euc-jp, euc-kr, windows-1250 to windows-1258, iso-8859-1 to iso-8859-16, koi8-r";

function byteOrderMark(head: Buffer): string | null {
  const mark = BYTE_ORDER_MARKS.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  return mark?.encoding ?? null;
}

/**
 * Settles the encoding by name and by the file's first bytes (at least four, up to a few KB).
 *
 * `auto` is what the byte order mark says, else `utf-8`, which is then read strictly. Throws UsageError for
 * a name that iconv-lite does not know, for a byte order mark that says something else than the name, and
 * for UTF-16 without a mark under `auto`.
 */
export function settleEncoding(path: string, name: string, head: Buffer): string {
  const marked = byteOrderMark(head);
  const canonical = name.toLowerCase().replace(/:\d{4}$|[^0-9a-z]/g, "");
  if (canonical === "auto") {
    const guess = marked ?? unmarkedUtf16(head);
    if (marked === null && guess !== null) throw unmarkedFailure(path, guess);
    return guess ?? "utf-8";
  }
  if (NOT_TEXT.has(canonical) || !iconv.encodingExists(name)) {
    throw inputError(
      "unknown_encoding",
      `The encoding ${JSON.stringify(name)} is not known.`,
      `Use auto or one of: ${COMMON_ENCODINGS}; other names that iconv-lite knows work too.`,
    );
  }
  if (canonical === "utf16" || canonical === "utf32") {
    return marked ?? (canonical === "utf16" ? (unmarkedUtf16(head) ?? "utf-16le") : "utf-32le");
  }
  const settled = UNICODE_NAMES[canonical] ?? name.toLowerCase();
  if (marked !== null && marked !== settled) {
    throw inputError(
      "encoding_mismatch",
      `${path} starts with the byte order mark of ${marked}, but the encoding is set to ${name}.`,
      "Set `input.encoding: auto`, or leave it out.",
    );
  }
  return settled;
}

/** Text in UTF-16 has a zero in nearly every second byte where it is Latin, commas and line breaks. */
function unmarkedUtf16(head: Buffer): "utf-16le" | "utf-16be" | null {
  const zeros = [0, 0];
  for (let index = 0; index < head.length; index++) {
    if (head[index] === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  }
  const [even = 0, odd = 0] = zeros;
  const few = Math.max(2, head.length / 20);
  if (odd > few && odd > even * 10) return "utf-16le";
  if (even > few && even > odd * 10) return "utf-16be";
  return null;
}

function unmarkedFailure(path: string, guess: string): UsageError {
  return new WrongEncoding(
    `${path} looks like ${guess.toUpperCase()} without a byte order mark: every second byte is zero.`,
    `Set \`input.encoding: ${guess}\` in the job file.`,
    "encoding_not_detected",
    guess,
  );
}
