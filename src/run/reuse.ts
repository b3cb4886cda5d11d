import { UsageError } from "../errors.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { JournalReader } from "../journal/index.js";
import type { Log } from "../log.js";
import type { RowTask } from "../protocol/events.js";
import { RowTable } from "../protocol/row-table.js";
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
      const records = await reuseRecords(source.directory, source.record);
      answers += records.count;
      read.push({ source, records });
    } catch (error) {
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
  readonly #readers = new Map<number, JournalReader>();

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

  /**
   * The result of a row whose request was answered before; null when it was not, or when that answer can no longer be read.
   * Costs nothing.
   */
  async find(
    task: Pick<RowTask, "rowIndex" | "customId" | "preset" | "requestDigest">,
  ): Promise<Result | null> {
    const { rowIndex, customId, preset, requestDigest } = task;
    if (requestDigest === undefined) return null;
    const place = this.#table.find(Buffer.from(requestDigest, "base64url"));
    if (place === null) return null;
    const answer = await this.#reader(place.run)
      .readAt(place)
      .catch(() => null); // the run was removed meanwhile
    if (answer?.status !== "succeeded" || answer.requestDigest !== requestDigest) return null;
    return {
      rowIndex,
      customId,
      model: answer.model,
      preset,
      attempts: 0,
      requestId: null,
      requestDigest,
      usage: null,
      reused: answer.reused ?? { runId: this.#sources[place.run]?.record.runId ?? "", usage: answer.usage },
      latencyMs: 0,
      finishedAt: new Date().toISOString(),
      status: "succeeded",
      output: answer.output,
    };
  }

  async close(): Promise<void> {
    for (const reader of this.#readers.values()) await reader.close();
    this.#readers.clear();
  }

  #reader(run: number): JournalReader {
    let reader = this.#readers.get(run);
    if (reader === undefined) {
      reader = new JournalReader(this.#sources[run]?.directory ?? "", new RowTable());
      this.#readers.set(run, reader);
    }
    return reader;
  }
}
