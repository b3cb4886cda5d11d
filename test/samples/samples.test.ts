import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "csv-parse/sync";
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";

const folder = path.resolve(import.meta.dirname, "../../samples");
const read = (file: string): Buffer => readFileSync(path.join(folder, file));

/** Rows as objects of strings. Strict: a row with too many or too few cells throws. */
function csvRows(text: string): Record<string, string>[] {
  return parse(text, { columns: true });
}

const strictUtf8 = (bytes: Buffer): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const unique = (values: readonly (string | undefined)[]): number => new Set(values).size;

describe("samples/documents.csv", () => {
  const rows = csvRows(strictUtf8(read("documents.csv")));

  it("holds 17 documents with unique ids and no empty cell", () => {
    expect(Object.keys(rows[0] ?? {})).toEqual(["id", "title", "author", "year", "language", "text"]);
    expect(rows).toHaveLength(17);
    expect(unique(rows.map((row) => row["id"]))).toBe(17);
    expect(rows.flatMap((row) => Object.values(row)).filter((cell) => cell.trim() === "")).toEqual([]);
  });

  it("holds texts of 400 to 1,500 words, or as many characters in Chinese", () => {
    for (const { id, text = "", language } of rows) {
      const length = language === "zh" ? Array.from(text).length : text.split(/\s+/u).length;
      expect(length, `length of ${id}`).toBeGreaterThanOrEqual(400);
      expect(length, `length of ${id}`).toBeLessThanOrEqual(1500);
    }
  });

  it("has quotation marks, commas and newlines within cells", () => {
    const cells = rows.map((row) => row["text"] ?? "");
    for (const mark of ['"', ",", "\n"]) expect(cells.some((cell) => cell.includes(mark))).toBe(true);
  });
});

describe("samples/manual.csv", () => {
  const rows = csvRows(strictUtf8(read("manual.csv")));
  const terms = csvRows(strictUtf8(read("glossary-en-de.csv")));

  it("holds 8 sections, most of them with terms of the glossary", () => {
    expect(unique(rows.map((row) => row["section"]))).toBe(8);
    const withTerms = rows.filter(({ text = "" }) =>
      terms.some(({ source = "" }) => text.toLowerCase().includes(source.toLowerCase())),
    );
    expect(withTerms.length).toBeGreaterThanOrEqual(5);
  });
});

describe("samples/products.csv", () => {
  const rows = csvRows(strictUtf8(read("products.csv")));

  it("holds 41 products with unique skus for twelve target languages", () => {
    expect(rows).toHaveLength(41);
    expect(unique(rows.map((row) => row["sku"]))).toBe(41);
    expect(unique(rows.map((row) => row["target_language"]))).toBe(12);
  });

  it("asks only for presets that exist, where it asks for one", () => {
    expect(new Set(rows.map((row) => row["preset"]))).toEqual(new Set(["", "creative_writing"]));
  });

  it("has placeholders, tags, entities, quotation marks, line breaks and an empty description", () => {
    const descriptions = rows.map((row) => row["description"] ?? "");
    for (const mark of ["{color}", "%s", "<strong>", "&amp;", '"', "\n", "€", "°C"]) {
      expect(
        descriptions.some((text) => text.includes(mark)),
        mark,
      ).toBe(true);
    }
    expect(descriptions).toContain("");
  });
});

describe("samples/tickets.csv", () => {
  const rows = csvRows(strictUtf8(read("tickets.csv")));

  it("holds 26 tickets with unique ids, an empty one and a formula-like one among them", () => {
    expect(rows).toHaveLength(26);
    expect(unique(rows.map((row) => row["ticket_id"]))).toBe(26);
    expect(rows.filter((row) => row["subject"] === "" && row["body"] === "")).toHaveLength(1);
    expect(rows.map((row) => row["subject"])).toContain("=1+1");
  });

  it("has a ticket that commands the model and one that closes the prompt's delimiter", () => {
    const bodies = rows.map((row) => row["body"] ?? "");
    expect(bodies.some((body) => body.includes("Ignore all previous instructions"))).toBe(true);
    expect(bodies.some((body) => body.includes("</ticket>"))).toBe(true);
  });
});

describe("samples/excel-zh.csv", () => {
  const bytes = read("excel-zh.csv");

  it("is GB18030 without a byte order mark, and neither UTF-8 nor plain GBK", () => {
    expect(() => strictUtf8(bytes)).toThrow(TypeError);
    const text = iconv.decode(bytes, "gb18030");
    expect(text.startsWith("编号,")).toBe(true);
    expect(iconv.encode(text, "gb18030").equals(bytes)).toBe(true);
    expect(iconv.encode(text, "gbk").equals(bytes)).toBe(false);
  });

  it("ends rows with CRLF and keeps bare newlines within quoted cells", () => {
    const text = iconv.decode(bytes, "gb18030");
    const rows = csvRows(text);
    expect(rows).toHaveLength(16);
    expect(Object.keys(rows[0] ?? {})).toEqual(["编号", "日期", "渠道", "客户留言", "评分"]);
    expect(text.split("\r\n")).toHaveLength(18);
    expect(rows.some((row) => row["客户留言"]?.includes("\n"))).toBe(true);
  });
});

describe("samples/prompts.jsonl", () => {
  const rows = strictUtf8(read("prompts.jsonl"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

  it("holds 16 prompt rows with unique ids", () => {
    expect(rows).toHaveLength(16);
    expect(new Set(rows.map((row) => row["id"])).size).toBe(16);
  });

  it("uses all five presets and every override a row may make", () => {
    expect(new Set(rows.map((row) => row["preset"]))).toEqual(
      new Set(["creative_writing", "code_generation", "factual_qa", "translation", "summarization"]),
    );
    for (const key of ["temperature", "top_p", "max_tokens", "model", "system", "messages"]) {
      expect(
        rows.some((row) => key in row),
        key,
      ).toBe(true);
    }
  });

  it("gives each row either a prompt or messages", () => {
    for (const row of rows) expect("prompt" in row, String(row["id"])).toBe(!("messages" in row));
  });
});

describe("samples/README.md", () => {
  const readme = strictUtf8(read("README.md"));

  it("names every sample", () => {
    for (const file of readdirSync(folder)) {
      if (!file.startsWith(".") && file !== "README.md") expect(readme).toContain(`## ${file}`);
    }
  });

  it("names the source of every document", () => {
    for (const { id } of csvRows(strictUtf8(read("documents.csv")))) expect(readme).toContain(`\`${id}\``);
  });
});
