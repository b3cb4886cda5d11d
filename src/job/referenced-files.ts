import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import type { TranslationPair } from "./resolved-job.js";

/** A file that a job names could not be used; `message` is what was expected of it and what was found. */
export class ReferencedFileError extends Error {}

/**
 * Reads a glossary or translation memory: CSV in UTF-8 whose header names `source` and `target` (more
 * columns are ignored). Both cells must be filled. Throws ReferencedFileError with the line.
 */
export function readTranslationPairs(path: string, baseDir: string): readonly TranslationPair[] {
  const text = readUtf8(path, baseDir);
  let records: { record: Record<string, string>; info: { lines: number } }[];
  try {
    // The options `info` and `columns` together make records of this shape; the types cannot say so.
    records = parse(text, {
      columns: true,
      bom: true,
      info: true,
      trim: true,
      skip_empty_lines: true,
    }) as never;
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new ReferencedFileError(`a CSV file, but ${path} is not: ${cause.message}`, { cause });
  }
  return records.map(({ record, info }) => {
    const { source, target } = record;
    if (source === undefined || target === undefined) {
      throw new ReferencedFileError(
        `a CSV file with the columns source and target, but ${path} has ${Object.keys(record).join(", ")}`,
      );
    }
    if (source === "" || target === "") {
      throw new ReferencedFileError(
        `source and target in each row, but one is empty in ${path}, line ${info.lines}`,
      );
    }
    return { source, target };
  });
}

/** Reads a JSON Schema. Throws ReferencedFileError when the file is no JSON mapping. */
export function readJsonSchema(path: string, baseDir: string): Readonly<Record<string, unknown>> {
  const text = readUtf8(path, baseDir);
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (cause) {
    throw new ReferencedFileError(`a JSON file, but ${path} is not: ${(cause as Error).message}`, { cause });
  }
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    throw new ReferencedFileError(`a JSON Schema, but ${path} holds no mapping`);
  }
  return schema as Readonly<Record<string, unknown>>;
}

function readUtf8(path: string, baseDir: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(resolve(baseDir, path)));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT" ? "does not exist" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw new ReferencedFileError(
      code === "ERR_ENCODING_INVALID_ENCODED_DATA"
        ? `a file in UTF-8, but ${path} is not`
        : `the path of a file relative to the job file, but ${resolve(baseDir, path)} ${reason}`,
      { cause },
    );
  }
}
