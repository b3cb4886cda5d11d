import type { UsageError } from "../errors.js";
import { inputError } from "./input-error.js";

export function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

interface Lookalike {
  readonly starts: readonly (string | RegExp)[];
  readonly name: string;
  readonly remedy: string;
}

/** First bytes (as latin1) of files people pass by mistake. No text file in use starts like the binary ones. */
const LOOKALIKES: readonly Lookalike[] = [
  {
    starts: ["PK\x03\x04"],
    name: "an Excel workbook (.xlsx) or another ZIP archive",
    remedy: "In Excel choose File, Save as, `CSV UTF-8`; unpack an archive; then give that file.",
  },
  {
    starts: ["\xd0\xcf\x11\xe0"],
    name: "an old Excel workbook (.xls)",
    remedy: "Open it in Excel, choose File, Save as, `CSV UTF-8`, and give that file.",
  },
  {
    starts: [/^PAR1[^\t\n\r -~]/],
    name: "a Parquet file",
    remedy: "Convert it to CSV or JSONL, for example with DuckDB: `COPY (FROM 'in.parquet') TO 'out.csv'`.",
  },
  {
    starts: ["SQLite format 3\0"],
    name: "an SQLite database",
    remedy: 'Export a table: `sqlite3 -header -csv file "select * from t" > rows.csv`.',
  },
  {
    starts: ["%PDF-"],
    name: "a PDF document",
    remedy: "Give a CSV or JSONL file with one row per document.",
  },
  {
    starts: ["\x28\xb5\x2f\xfd"],
    name: "a zstd file",
    remedy: "Decompress it with `zstd -d`, or use gzip, which is read as it is.",
  },
  {
    starts: [/^BZh[1-9]1AY&SY/],
    name: "a bzip2 file",
    remedy: "Decompress it with `bunzip2`, or use gzip, which is read as it is.",
  },
  {
    starts: ["\xfd7zXZ\0"],
    name: "an xz file",
    remedy: "Decompress it with `unxz`, or use gzip, which is read as it is.",
  },
  {
    starts: ["7z\xbc\xaf\x27\x1c"],
    name: "a 7-Zip archive",
    remedy: "Unpack it and give the CSV or JSONL file in it.",
  },
  {
    starts: [/^\s*<(\?xml|!doctype html|html)/i],
    name: "an XML or HTML document",
    remedy: "Export the data as CSV or JSONL. (Some `.xls` downloads are HTML: save them from Excel as CSV.)",
  },
];

/**
 * Recognises a file that is no CSV or JSONL at all by its first bytes (decompressed).
 *
 * Returns the error that names what it looks like and how to convert it, or null.
 */
export function foreignFile(path: string, head: Buffer): UsageError | null {
  const start = head.subarray(0, 64).toString("latin1");
  for (const { starts, name, remedy } of LOOKALIKES) {
    const matches = starts.some((s) => (typeof s === "string" ? start.startsWith(s) : s.test(start)));
    if (matches) {
      return inputError("input_wrong_format", `${path} looks like ${name}, not CSV or JSONL.`, remedy);
    }
  }
  return null;
}

export type Format = "csv" | "jsonl";

/** The format that a file's name says, `.gz` put aside, or null when it says none. */
export function formatByName(path: string): Format | null {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (/\.(csv|tsv|tab)$/.test(name)) return "csv";
  if (/\.(jsonl|ndjson)$/.test(name)) return "jsonl";
  return null;
}

export function isTabSeparatedByName(path: string): boolean {
  return /\.(tsv|tab)(\.gz)?$/i.test(path);
}

/**
 * Settles CSV or JSONL: what is asked for, else the file's name, else its first character.
 *
 * `text` is the decoded start of the file. Throws UsageError for a JSON array, for one pretty-printed JSON
 * document, and for JSONL in a file named like a CSV.
 */
export function settleFormat(path: string, asked: Format | null, text: string): Format {
  const start = text.trimStart();
  const format = asked ?? formatByName(path) ?? (/^[{[]/.test(start) ? "jsonl" : "csv");
  const firstLine = (/^[^\r\n]*/.exec(start)?.[0] ?? "").trimEnd();
  if (format === "jsonl" && start.startsWith("[")) {
    throw inputError(
      "input_wrong_format",
      `${path} looks like one JSON array, not JSONL, which has one object per line.`,
      `Convert it with \`jq -c '.[]' ${path} > rows.jsonl\` and give that file.`,
    );
  }
  if (format === "jsonl" && firstLine === "{") {
    throw inputError(
      "input_wrong_format",
      `${path} looks like pretty-printed JSON: its first line is a lone \`{\`, where JSONL has a whole object per line.`,
      `Convert it with \`jq -c . ${path} > rows.jsonl\` and give that file.`,
    );
  }
  if (format === "csv" && asked === null && /^\{\s*"/.test(firstLine) && firstLine.endsWith("}")) {
    throw inputError(
      "input_wrong_format",
      `${path} is named like a CSV but looks like JSONL: its first line is a JSON object.`,
      "Set `input.format: jsonl` in the job file, or rename the file to .jsonl.",
    );
  }
  return format;
}
