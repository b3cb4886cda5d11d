import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../errors.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { Log } from "../log.js";
import type { QueuePayload } from "../queue/payload.js";
import type { Result } from "../types.js";
import { listRuns, readRunRecord } from "./run-directory.js";
import type { RunRecord } from "./record.js";
import { reuseRecords, type ReuseRecords } from "./reuse-index.js";
import { ReuseTable } from "./reuse-table.js";

/** Answers kept in mind; newer runs are read first. */
const MOST_ANSWERS = 5_000_000;
const MOST_RUNS = 65_535;

interface Source {
  readonly directory: string;
  readonly record: RunRecord;
}

/** Refuses a job that wants to reuse the answers of a run or job that is not there. UsageError. */
export async function checkReuse(runsRoot: string, { name, reuse }: ResolvedJob): Promise<void> {
  if (typeof reuse !== "string" || (await sourcesOf(runsRoot, reuse, null)).length > 0) return;
  throw new UsageError(`reuse: no run and no job named ${JSON.stringify(reuse)} below ${runsRoot}.`, {
    code: "reuse_not_found",
    hint: `promptmill status lists the runs; --reuse alone takes the earlier runs of ${name}.`,
  });
}

/**
 * Opens the answers that a run may take over; null when its job wants none. `runId` is the run's own, which
 * is left out. Runs that cannot be read are told to the log and left out.
 */
export async function openReuse(
  runsRoot: string,
  runId: string,
  job: ResolvedJob,
  log: Log,
): Promise<Reuse | null> {
  if (job.reuse === undefined || job.reuse === false) return null;
  const name = job.reuse === true ? job.name : job.reuse;
  const sources = await sourcesOf(runsRoot, name, runId);
  const read: { source: Source; records: ReuseRecords }[] = [];
  let answers = 0;
  for (const source of sources.slice(0, MOST_RUNS)) {
    if (answers >= MOST_ANSWERS) break;
    try {
      const records = await reuseRecords(source.directory, source.record.runId, source.record.rows);
      answers += records.count;
      read.push({ source, records });
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT"; // nothing was settled
      if (!isAbsent)
        log.warn({ run: source.record.runId, error: String(error) }, "No answers are reused from a run");
    }
  }
  const table = new ReuseTable(Math.min(answers, MOST_ANSWERS));
  for (const [number, { records }] of read.entries()) table.add(records, number);
  return new Reuse(
    table,
    read.map(({ source }) => source),
  );
}

/** Runs of that id or of that job, the newest first. */
async function sourcesOf(runsRoot: string, name: string, except: string | null): Promise<Source[]> {
  const sources: Source[] = [];
  for (const directory of await listRuns(runsRoot)) {
    const record = await readRunRecord(directory).catch(() => null);
    if (record === null || record.runId === except) continue;
    if (record.runId === name || record.job.name === name) sources.push({ directory, record });
  }
  return sources.sort((a, b) => b.record.createdAt.localeCompare(a.record.createdAt));
}

/**
 * Answers of earlier runs by request. Two requests are the same when model, messages, parameters and who
 * answers are (`requestDigest`), so a changed prompt, preset, model or region is another request, and the
 * simulator's answers are for the simulator only.
 */
export class Reuse {
  readonly #table: ReuseTable;
  readonly #sources: readonly Source[];
  readonly #files = new Map<number, FileHandle>();

  constructor(table: ReuseTable, sources: readonly Source[]) {
    this.#table = table;
    this.#sources = sources;
  }

  /** Answers to be had. */
  get size(): number {
    return this.#table.size;
  }

  /** Whether a request of this digest was answered, without looking at the answer. */
  has(requestDigest: string): boolean {
    return this.#table.find(Buffer.from(requestDigest, "base64url")) !== null;
  }

  /** The result of a row whose request was answered before; null when it was not. Costs nothing. */
  async find(payload: QueuePayload): Promise<Result | null> {
    const { requestDigest } = payload;
    if (requestDigest === undefined) return null;
    const place = this.#table.find(Buffer.from(requestDigest, "base64url"));
    if (place === null) return null;
    const source = this.#sources[place.run];
    const answer = await this.#read(place.run, place.offset, place.length);
    if (source === undefined || answer?.status !== "succeeded") return null;
    if (answer.requestDigest !== requestDigest) return null;
    return {
      rowIndex: payload.rowIndex,
      customId: payload.customId,
      model: answer.model,
      preset: payload.preset,
      attempts: 0,
      attemptsStarted: 0,
      possiblyBilled: 0,
      requestId: null,
      requestDigest,
      usage: null,
      reused: answer.reused ?? { runId: source.record.runId, usage: answer.usage },
      latencyMs: 0,
      finishedAt: new Date().toISOString(),
      status: "succeeded",
      output: answer.output,
    };
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }

  async #read(run: number, offset: number, length: number): Promise<Result | null> {
    let file = this.#files.get(run);
    if (file === undefined) {
      const directory = this.#sources[run]?.directory ?? "";
      const opened = await open(join(directory, "journal.jsonl"), "r").catch(() => null);
      if (opened === null) return null; // the run was removed meanwhile
      file = opened;
      this.#files.set(run, file);
    }
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
    try {
      return bytesRead === length ? (JSON.parse(buffer.toString("utf8")) as Result) : null;
    } catch {
      return null;
    }
  }
}
