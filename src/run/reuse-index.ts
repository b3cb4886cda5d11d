import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { foldJournal, journalFiles } from "../journal/index.js";
import { RowState } from "../protocol/row-table.js";
import { writeFileAtomically } from "../writer/atomic-file.js";
import type { RunRecord } from "./record.js";

const DIGEST_BYTES = 16;
/** Digest, place of the line in the journal as a double, its length as 32 bits: little-endian. */
const RECORD_BYTES = DIGEST_BYTES + 8 + 4;
const MAGIC = "promptmill reuse 2";
/** Of the header line, padded with blanks. */
const HEADER_BYTES = 64;

/** Where one answer stands in a journal. */
export interface AnswerPlace {
  readonly offset: number;
  /** Bytes of the line, without its newline. */
  readonly length: number;
}

/** Answers of one run by the digest of their requests, as its index file holds them. */
export class ReuseRecords {
  readonly #records: Buffer;

  constructor(records: Buffer) {
    this.#records = records;
  }

  get count(): number {
    return this.#records.length / RECORD_BYTES;
  }

  /** The 16 bytes; a view, not a copy. */
  digest(at: number): Buffer {
    return this.#records.subarray(at * RECORD_BYTES, at * RECORD_BYTES + DIGEST_BYTES);
  }

  place(at: number): AnswerPlace {
    const start = at * RECORD_BYTES + DIGEST_BYTES;
    return { offset: this.#records.readDoubleLE(start), length: this.#records.readUInt32LE(start + 8) };
  }
}

/**
 * The index of a run's answers, from its file below `.reuse`, or made anew from the journal when there is none, or one of
 * another state of the journal. Only rows that stand as succeeded are in it.
 */
export async function reuseRecords(directory: string, record: RunRecord): Promise<ReuseRecords> {
  const path = join(dirname(directory), ".reuse", `${record.runId}.index`);
  const head = header(directory, record.identity);
  const kept = await readIndex(path, head);
  if (kept !== null) return new ReuseRecords(kept);
  const records = await indexJournal(directory, record);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFileAtomically(path, async (append) => {
    await append(head);
    await append(records);
  });
  return new ReuseRecords(records);
}

async function readIndex(path: string, head: string): Promise<Buffer | null> {
  const file = await open(path, "r").catch(() => null);
  if (file === null) return null;
  try {
    const data = await file.readFile();
    const isWhole = (data.length - HEADER_BYTES) % RECORD_BYTES === 0;
    const isCurrent = data.subarray(0, HEADER_BYTES).toString("latin1") === head;
    return isWhole && isCurrent ? data.subarray(HEADER_BYTES) : null;
  } finally {
    await file.close();
  }
}

/** Says which state of the journal was indexed: its files only grow. */
function header(directory: string, identity: string): string {
  const files = journalFiles(directory).map(({ number, path }) => `${number}:${statSync(path).size}`);
  const state = createHash("sha256")
    .update(`${identity} ${files.join(" ")}`)
    .digest("hex")
    .slice(0, 32);
  return `${MAGIC} ${state}`.padEnd(HEADER_BYTES - 1) + "\n";
}

async function indexJournal(directory: string, { identity, rows }: RunRecord): Promise<Buffer> {
  const digests = Buffer.alloc(rows * DIGEST_BYTES);
  const { rows: table } = await foldJournal(
    { directory, identity, rows },
    {
      settled: ({ rowIndex, requestDigest }) => {
        const at = rowIndex * DIGEST_BYTES;
        digests.fill(0, at, at + DIGEST_BYTES);
        if (requestDigest !== undefined) digests.write(requestDigest, at, DIGEST_BYTES, "base64url");
      },
    },
  );
  const records = Buffer.alloc(table.succeeded * RECORD_BYTES);
  let end = 0;
  for (let row = 0; row < rows; row++) {
    const place = table.state(row) === RowState.succeeded ? table.locate(row) : null;
    const digest = digests.subarray(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES);
    if (place === null || digest.every((byte) => byte === 0)) continue;
    digest.copy(records, end);
    records.writeDoubleLE(place.offset, end + DIGEST_BYTES);
    records.writeUInt32LE(place.length, end + DIGEST_BYTES + 8);
    end += RECORD_BYTES;
  }
  return records.subarray(0, end);
}
