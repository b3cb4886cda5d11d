import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { PromptmillError } from "../../src/errors.js";
import type { InputRow } from "../../src/input/index.js";
import { describeInput, readRows } from "../../src/input/index.js";
import type { InputOptions } from "../../src/job/resolved-job.js";

/** A folder for one test file's inputs, removed at its end. Returns a function that writes a file into it. */
export function inputFolder(): (name: string, content: string | Buffer) => string {
  const folder = mkdtempSync(join(tmpdir(), "promptmill-input-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
}

export function options(path: string, more: Partial<InputOptions> = {}): InputOptions {
  return { path, format: null, encoding: "auto", delimiter: null, id: null, lenient: false, ...more };
}

/** Describes and reads a whole input. */
export async function readAll(path: string, more: Partial<InputOptions> = {}): Promise<InputRow[]> {
  const asked = options(path, more);
  const rows: InputRow[] = [];
  for await (const batch of readRows(await describeInput(asked), asked)) rows.push(...batch);
  return rows;
}

/** The PromptmillError that a promise fails with. */
export async function failure(promise: Promise<unknown>): Promise<PromptmillError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PromptmillError) return error;
    throw error;
  }
  throw new Error("expected a failure, but it succeeded");
}

/** Cuts bytes into chunks of the given sizes, over and over. */
export function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export async function* asyncOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
