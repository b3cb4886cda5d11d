import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { copyStandardInput, describeInput, fingerprint, scanInput } from "../../src/input/index.js";
import { failure, inputFolder, options, readAll } from "./input-files.js";

const file = inputFolder();

/** Runs as a user whom file permissions bind: tests may run as root, whom they do not. */
async function withoutPrivileges<T>(action: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  try {
    return await action();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

describe("files that cannot be inputs", () => {
  it("refuses a missing file", async () => {
    const error = await failure(scanInput(options("/nonexistent/rows.csv")));
    expect(error).toMatchObject({ code: "input_not_found", exitCode: 2 });
    expect(error.message).toBe("The input file /nonexistent/rows.csv does not exist.");
  });

  it("refuses a directory", async () => {
    expect(await failure(scanInput(options(tmpdir())))).toMatchObject({
      code: "input_is_directory",
      exitCode: 2,
    });
  });

  it("refuses a device", async () => {
    expect((await failure(scanInput(options("/dev/null")))).code).toBe("input_not_a_file");
  });

  it("refuses a file that it may not read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "promptmill-unreadable-"));
    try {
      const path = join(folder, "rows.csv");
      writeFileSync(path, "a\n1\n");
      chmodSync(folder, 0o755);
      chmodSync(path, 0o000);
      const error = await withoutPrivileges(() => failure(scanInput(options(path))));
      expect(error).toMatchObject({ code: "input_not_readable", exitCode: 2 });
      expect(error.message).toContain(path);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ["book.xlsx", Buffer.from("PK\x03\x04rest", "latin1"), /Excel workbook/],
    ["book.csv", Buffer.from("PK\x03\x04rest", "latin1"), /Excel workbook/],
    ["book.xls", Buffer.from("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "latin1"), /old Excel workbook/],
    ["table.parquet", Buffer.from("PAR1\x15\x04", "latin1"), /Parquet/],
    ["paper.pdf", Buffer.from("%PDF-1.7\n"), /PDF/],
    ["data.db", Buffer.from("SQLite format 3\0"), /SQLite/],
    ["rows.csv.zst", Buffer.from("\x28\xb5\x2f\xfd\x04", "latin1"), /zstd/],
    ["page.csv", Buffer.from("<!DOCTYPE html><table>"), /HTML/],
    ["array.json", Buffer.from('[{"a":1}]'), /one JSON array/],
    ["object.json", Buffer.from('{\n "a": 1\n}'), /pretty-printed/],
    ["lines.csv", Buffer.from('{"a":1,"b":2}\n{"a":2}\n'), /looks like JSONL/],
  ])("says what %s looks like and what to do", async (name, content, message) => {
    const error = await failure(describeInput(options(file(name, content))));
    expect(error.code).toBe("input_wrong_format");
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
  });
});

describe("the format", () => {
  it.each([
    ["a.csv", "x\n1\n", "csv"],
    ["a.TSV", "x\n1\n", "csv"],
    ["a.jsonl", '{"x":1}\n', "jsonl"],
    ["a.ndjson", '{"x":1}\n', "jsonl"],
    ["a.txt", "x\n1\n", "csv"],
    ["a.txt", '\n {"x":1}\n', "jsonl"],
    ["a.json", '{"x":1}\n{"x":2}\n', "jsonl"],
    ["a", "x;y\n1;2\n", "csv"],
  ])("of %s that holds %j is %s", async (name, content, format) => {
    expect((await describeInput(options(file(name, content)))).format).toBe(format);
  });

  it("is what is asked for, whatever the name says", async () => {
    const path = file("wrong.csv", '{"a":1}\n');
    expect((await describeInput(options(path, { format: "jsonl" }))).format).toBe("jsonl");
  });
});

describe("gzip", () => {
  it.each([
    ["rows.csv.gz", "a,b\n1,2\n"],
    ["rows.jsonl.gz", '{"a":"1","b":"2"}\n'],
    ["rows", "a,b\n1,2\n"],
  ])("reads %s", async (name, content) => {
    const path = file(name, gzipSync(content));
    expect((await readAll(path)).map((row) => ({ ...row.values }))).toEqual([{ a: "1", b: "2" }]);
    const summary = await scanInput(options(path));
    expect(summary).toMatchObject({ gzip: true, rows: 1, ...(await fingerprint(path)) });
  });

  it("reads files of several members, as appending makes them", async () => {
    const path = file("two.csv.gz", Buffer.concat([gzipSync("a\n1\n"), gzipSync("2\n")]));
    expect((await scanInput(options(path))).rows).toBe(2);
  });

  const noise = Array.from({ length: 300_000 }, (_, index) => `${String((index * 7919) % 999_983)}\n`).join(
    "",
  );

  it("says that a truncated file is truncated", async () => {
    const whole = gzipSync(`a\n${noise}`);
    const path = file("cut.csv.gz", whole.subarray(0, whole.length - 100_000));
    expect(await failure(scanInput(options(path)))).toMatchObject({ code: "gzip_truncated", exitCode: 2 });
  });

  it("says that a damaged file is damaged", async () => {
    const damaged = Buffer.from(gzipSync(`a\n${noise}`));
    damaged.fill(0xff, 100_000, 100_500);
    expect(await failure(scanInput(options(file("bad.csv.gz", damaged))))).toMatchObject({
      code: "gzip_corrupt",
    });
  });

  it("refuses a .gz that is none, and an empty one", async () => {
    expect((await failure(scanInput(options(file("no.csv.gz", "a\n1\n"))))).code).toBe("not_gzip");
    expect((await failure(scanInput(options(file("e.csv.gz", gzipSync("")))))).code).toBe("input_empty");
  });
});

it("fingerprints the file as it lies on disk, in a scan and by itself", async () => {
  const path = file("print.csv", "a,b\n1,2\n");
  const sha256 = createHash("sha256").update("a,b\n1,2\n").digest("hex");
  expect(await fingerprint(path)).toEqual({ bytes: 8, sha256 });
  expect(await scanInput(options(path))).toEqual({
    path,
    format: "csv",
    skipsBlank: true,
    gzip: false,
    encoding: "utf-8",
    delimiter: ",",
    columns: ["a", "b"],
    rows: 1,
    bytes: 8,
    sha256,
    problems: 0,
  });
});

describe("standard input", () => {
  it("is copied byte for byte, for its owner only", async () => {
    const to = file("stdin", "what was here before, and longer");
    rmSync(to);
    await copyStandardInput(to, Readable.from([Buffer.from("a,b\n"), Buffer.from([0xff, 0x00]), "é"]));
    expect(readFileSync(to)).toEqual(
      Buffer.concat([Buffer.from("a,b\n"), Buffer.from([0xff, 0x00]), Buffer.from("é")]),
    );
    expect(statSync(to).mode & 0o777).toBe(0o600);
  });

  it("is refused when it is a terminal", async () => {
    const terminal = Object.assign(Readable.from([]), { isTTY: true });
    const error = await failure(copyStandardInput(file("tty", ""), terminal));
    expect(error.code).toBe("standard_input_is_terminal");
  });
});
