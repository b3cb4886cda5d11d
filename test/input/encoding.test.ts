import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../src/input/decode.js";
import { guessEncoding } from "../../src/input/encoding-guess.js";
import { describeInput, scanInput } from "../../src/input/index.js";
import { cut, failure, inputFolder, options, readAll } from "./input-files.js";

const file = inputFolder();

const CHINESE =
  "编号,文本\n1,今天天气很好，我们去公园散步吧。这是一个测试文件，用来检查编码。\n2,第二行的中文内容\n";
const TAIWANESE =
  "編號,文字\n1,今天天氣很好，我們去公園散步吧。這是一個測試檔案，用來檢查編碼。\n2,第二行的中文內容\n";
const JAPANESE =
  "番号,本文\n1,今日はとても天気がいいので、公園に散歩に行きましょう。これはテストです。\n2,二行目の内容\n";
const KOREAN =
  "번호,본문\n1,오늘은 날씨가 아주 좋아서 공원에 산책하러 갑니다. 이것은 시험 파일입니다.\n2,둘째 줄의 내용\n";
const FRENCH =
  "numéro,texte\n1,Le café est très bon à l'hôtel près de la forêt où l'été déjà s'achève.\n2,naïve façon\n";

describe("encodings by name", () => {
  it.each([
    ["utf-8", CHINESE],
    ["UTF8", CHINESE],
    ["utf-16le", CHINESE],
    ["utf-16be", CHINESE],
    ["utf-16", CHINESE],
    ["utf-32le", CHINESE],
    ["gb18030", `${CHINESE}3,😀 and € and \uFFFD\n`],
    ["gbk", CHINESE],
    ["GB2312", CHINESE],
    ["big5", TAIWANESE],
    ["Shift_JIS", JAPANESE],
    ["euc-jp", JAPANESE],
    ["euc-kr", KOREAN],
    ["windows-1252", FRENCH],
    ["iso-8859-15", FRENCH],
  ])("reads %s", async (encoding, text) => {
    const path = file("named.csv", iconv.encode(text, encoding, { addBOM: false }));
    const rows = await readAll(path, { encoding });
    const cells = rows.flatMap((row) => Object.values(row.values));
    expect(cells).toEqual(
      text
        .trim()
        .split("\n")
        .slice(1)
        .flatMap((line) => line.split(",")),
    );
  });

  it.each(["klingon", "base64", "hex", ""])(
    "refuses the encoding %j and lists what there is",
    async (encoding) => {
      const error = await failure(describeInput(options(file("x.csv", "a\n1\n"), { encoding })));
      expect(error.code).toBe("unknown_encoding");
      expect(error.hint).toMatch(/gb18030/);
    },
  );

  it("refuses a name that the byte order mark contradicts", async () => {
    const error = await failure(
      describeInput(options(file("b.csv", "\uFEFFa\n1\n"), { encoding: "gb18030" })),
    );
    expect(error.code).toBe("encoding_mismatch");
  });

  it.each([
    ["gb18030", Buffer.from([0x81, 0x20]), 0x81],
    ["gbk", Buffer.from([0xff]), 0xff],
    ["big5", Buffer.from([0x81, 0x0a]), 0x81],
    ["shift_jis", Buffer.from([0xfd, 0xff]), 0xfd],
    ["ascii", Buffer.from([0xe9]), 0xe9],
    ["utf-8", Buffer.from([0xc3, 0x28]), 0xc3],
    ["utf-8", Buffer.from([0xed, 0xa0, 0x80]), 0xed],
    ["utf-8", Buffer.from([0xe4, 0xb8]), 0xe4],
  ])("refuses bytes that are no %s, naming line, byte and offset", async (encoding, bad, byte) => {
    const start = Buffer.from('a,b\n1,"x\ny"\nok,ok\nhere ');
    const path = file("bad.csv", Buffer.concat([start, bad]));
    const error = await failure(scanInput(options(path, { encoding })));
    expect(error.code).toBe("input_undecodable");
    expect(error.message).toContain(
      `bad.csv, line 5: the byte 0x${byte.toString(16).toUpperCase()} at offset 23 `,
    );
  });

  it.each([
    ["a lone high surrogate", Buffer.from([0x00, 0xd8, 0x41, 0x00])],
    ["a lone low surrogate", Buffer.from([0x00, 0xdc])],
    ["half a code unit at the end", Buffer.from([0x41])],
  ])("refuses %s in UTF-16", async (_, bad) => {
    const path = file("bad16.csv", Buffer.concat([Buffer.from("\uFEFFa\n1\n", "utf16le"), bad]));
    const error = await failure(scanInput(options(path)));
    expect(error.message).toMatch(/line 3: the byte 0x.. at offset 10 is not valid utf-16le/);
  });

  it("keeps a rightful U+FFFD and still refuses a bad byte after it", async () => {
    const good = file("good.csv", "a\n\uFFFD\n");
    expect((await readAll(good))[0]?.values["a"]).toBe("\uFFFD");
    const path = file("after.csv", Buffer.concat([Buffer.from("a\n\uFFFD\n"), Buffer.from([0x80])]));
    expect((await failure(scanInput(options(path)))).message).toMatch(/line 3: the byte 0x80 at offset 6 /);
  });

  it("names the line of a bad byte far into a compressed file", async () => {
    const many = "x,y\n".repeat(200_000);
    const path = file("far.csv.gz", gzipSync(Buffer.concat([Buffer.from(many), Buffer.from([0xff])])));
    expect((await failure(scanInput(options(path)))).message).toMatch(
      /line 200001: the byte 0xFF at offset 800000 of the decompressed text/,
    );
  });
});

describe("encoding auto", () => {
  it.each([
    ["utf-8", Buffer.from(`\uFEFF${CHINESE}`)],
    ["utf-8", Buffer.from(CHINESE)],
    ["utf-16le", Buffer.from(`\uFEFF${CHINESE}`, "utf16le")],
    ["utf-16be", Buffer.from(`\uFEFF${CHINESE}`, "utf16le").swap16()],
    ["utf-32le", iconv.encode(CHINESE, "utf-32le", { addBOM: true })],
  ])("finds %s", async (encoding, bytes) => {
    const path = file("auto.csv", bytes);
    expect(await describeInput(options(path))).toMatchObject({ encoding, columns: ["编号", "文本"] });
    expect((await scanInput(options(path))).rows).toBe(2);
  });

  it.each([
    ["gb18030", CHINESE],
    ["big5", TAIWANESE],
    ["shift_jis", JAPANESE],
    ["euc-kr", KOREAN],
    ["windows-1252", FRENCH],
  ])("refuses %s and proposes it", async (encoding, text) => {
    const error = await failure(scanInput(options(file("guess.csv", iconv.encode(text, encoding)))));
    expect(error.code).toBe("input_undecodable");
    expect(error.message).toMatch(/line 1: the byte 0x/);
    expect(error.hint).toContain(`input.encoding: ${encoding}`);
  });

  it("proposes UTF-16 where its byte order mark is missing", async () => {
    const error = await failure(
      scanInput(options(file("nomark.csv", Buffer.from("id,text\n1,x\n", "utf16le")))),
    );
    expect(error.code).toBe("encoding_not_detected");
    expect(error.hint).toContain("input.encoding: utf-16le");
  });

  it.each([
    ["gb18030", "你好"],
    ["gb18030", "商品编号;名称;价格\r\n1;茶杯;20\r\n"],
    ["gb18030", "標題,內容\n繁體字文本在大陸編碼中\n"],
    ["big5", "姓名,內容"],
    ["shift_jis", "商品番号,商品名\n1,ラーメン\n"],
    ["windows-1252", "Größe;Straße"],
    ["windows-1252", "naïve"],
  ])("guesses %s from as little as %j", (encoding, text) => {
    expect(guessEncoding(iconv.encode(text, encoding))).toBe(encoding);
  });

  it("guesses utf-8 for text that is", () => {
    expect(guessEncoding(Buffer.from(CHINESE))).toBe("utf-8");
  });
});

it.each(["utf-8", "utf-16le", "utf-16be", "utf-32be", "gb18030", "shift_jis", "windows-1252"])(
  "decodes %s the same however its bytes are cut",
  async (encoding) => {
    const representable = (text: string): boolean =>
      iconv.decode(iconv.encode(text, encoding), encoding, { stripBOM: false }) === text &&
      !text.startsWith("\uFEFF");
    const character = fc
      .oneof(
        fc.constantFrom("\n", "\r", "a", "é", "日", "\uFFFD"),
        fc.string({ unit: "binary", maxLength: 1 }),
      )
      .filter(representable);
    const text = fc
      .array(character)
      .map((parts) => parts.join(""))
      .filter(representable);
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        async (source, sizes) => {
          const parts: Buffer[] = [];
          const bytes = iconv.encode(source, encoding, { addBOM: false });
          for await (const part of toUtf8(cut(bytes, sizes), encoding, "x")) parts.push(part);
          expect(Buffer.concat(parts).toString("utf8")).toBe(source);
        },
      ),
    );
  },
);
