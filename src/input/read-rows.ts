import { UsageError } from "../errors.js";
import type { InputOptions } from "../job/resolved-job.js";
import { readCsvHead } from "./csv-head.js";
import { readCsvRows } from "./csv-rows.js";
import type { InputDescription } from "./describe.js";
import { InputCheck, type KnownInput } from "./input-check.js";
import { readJsonlRows } from "./jsonl-rows.js";
import { readText } from "./read-text.js";
import type { InputRow } from "./row.js";

export interface ReadHooks {
  /** Ends reading with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Skip rows with a rowIndex up to this one; cheap, without parsing them where that is safe. */
  readonly afterRow?: number | undefined;
  /** Is told the lines of CSV records without any value, which are no rows; not of those that are skipped. */
  readonly onBlank?: ((line: number) => void) | undefined;
  /** Sees the file's chunks as they lie on disk. */
  readonly onRawChunk?: ((chunk: Buffer) => void) | undefined;
}

/** An input to read; with the size and hash of a scan, each pass is held to be over the same file. */
export type ReadableInput = InputDescription & Partial<Pick<KnownInput, "bytes" | "sha256">>;

/**
 * Reads an input's rows in order, in batches of up to 500 rows or what 60 KB of text hold, if that is less.
 *
 * Reads on only when the next batch is asked for; memory is one chunk and one batch, whatever the file's
 * size. Leaving the loop closes the file. Throws UsageError as `scanInput` does, ids aside. HaltError when it
 * is not the file that was scanned: a pass that is not left early ends well for no other.
 */
export async function* readRows(
  description: ReadableInput,
  options: InputOptions,
  hooks: ReadHooks = {},
): AsyncGenerator<InputRow[]> {
  const { bytes, sha256 } = description;
  if (bytes === undefined || sha256 === undefined) {
    yield* rowsOf(description, options, hooks);
    return;
  }
  const check = new InputCheck({ ...description, bytes, sha256 });
  const onRawChunk = (chunk: Buffer): void => {
    check.add(chunk);
    hooks.onRawChunk?.(chunk);
  };
  await check.begin();
  try {
    yield* rowsOf(description, options, { ...hooks, onRawChunk });
  } catch (error) {
    if (error instanceof UsageError) await check.compare();
    throw error;
  }
  await check.end();
}

async function* rowsOf(
  description: InputDescription,
  options: InputOptions,
  hooks: ReadHooks,
): AsyncGenerator<InputRow[]> {
  const { path, gzip, encoding } = description;
  const { signal, onRawChunk } = hooks;
  const reading = {
    path,
    lenient: options.lenient,
    afterRow: hooks.afterRow ?? -1,
    skipsBlank: description.skipsBlank === true,
    onBlank: hooks.onBlank,
  };
  const chunks = readText({ path, gzip, encoding, signal, onRawChunk });
  if (description.format === "jsonl") {
    yield* readJsonlRows(chunks, reading);
    return;
  }
  try {
    const head = await readCsvHead(chunks, { path, delimiter: description.delimiter });
    yield* readCsvRows(withRest(head.rest, chunks), head, reading);
  } finally {
    await chunks.return(undefined);
  }
}

async function* withRest(rest: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (rest.length > 0) yield rest;
  yield* chunks;
}
