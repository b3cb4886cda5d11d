import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { JobDefinition } from "../../src/job/index.js";
import { run } from "../../src/run/run.js";
import type { RunSummary } from "../../src/run/carry-out.js";
import type { AttemptEvent } from "../../src/protocol/events.js";
import type { Simulator } from "../../src/simulator/index.js";
import type { Result } from "../../src/types.js";
import { journalEvents } from "../support/journal-events.js";
import { redisUrl } from "../support/redis-url.js";
import { tempFolder } from "../support/temp-folder.js";

export type Row = Readonly<Record<string, unknown>>;

/** What a run left behind, read back from its files. */
export interface FinishedRun extends RunSummary {
  /** In input order; of a CSV, every cell as text. */
  readonly results: readonly Row[];
  /** Every result, in the order in which rows settled. */
  readonly journal: readonly Result[];
  /** Calls that ended without settling their row. */
  readonly attempts: readonly AttemptEvent[];
  readonly errors: readonly Row[];
}

export interface RunningOptions {
  readonly simulator: Simulator;
  /** Of the environment, on top of the simulator's address. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text of promptmill.config.yaml. */
  readonly config?: string;
  /** More files of the job's folder, by name. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  /** null: the embedded queue. Default: the test run's Redis. */
  readonly queue?: string | null;
  /** false: workers elsewhere make the calls. */
  readonly worker?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs a job over rows in a folder of its own, by the library, against a simulator, and reads what came. */
export async function runRows(
  definition: Omit<JobDefinition, "name"> & { readonly name?: string },
  rows: readonly Row[],
  options: RunningOptions,
): Promise<FinishedRun> {
  const cwd = await tempFolder();
  const input = join(cwd, "rows.jsonl");
  await writeFile(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  for (const [name, content] of Object.entries(options.files ?? {}))
    await writeFile(join(cwd, name), content);
  if (options.config !== undefined) await writeFile(join(cwd, "promptmill.config.yaml"), options.config);
  return await readBack(
    await run({
      job: { name: "job", provider: "simulator", ...definition, input: { path: input, ...definition.input } },
      cwd,
      queue: options.queue === null ? undefined : (options.queue ?? redisUrl()),
      worker: options.worker,
      env: { PROMPTMILL_SIMULATOR_URL: options.simulator.url, ...options.env },
      signal: options.signal,
    }),
  );
}

export async function readBack(summary: RunSummary): Promise<FinishedRun> {
  const events = journalEvents(summary.directory);
  const journal = events.filter((event) => event.event === "settled");
  const attempts = events.filter((event) => event.event === "attempt");
  const { files } = summary;
  const results =
    files === null
      ? []
      : files.results.endsWith(".csv")
        ? parse<Row>(await readFile(files.results), { columns: true, bom: true })
        : await jsonLines<Row>(files.results);
  const errors = files === null || files.errors === null ? [] : await jsonLines<Row>(files.errors);
  return { ...summary, results, journal, attempts, errors };
}

async function jsonLines<T>(path: string): Promise<T[]> {
  const text = await readFile(path, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

/** The one result of a run of one row. */
export function onlyResult({ journal }: FinishedRun): Result {
  const [result, ...rest] = journal;
  if (result === undefined || rest.length > 0) throw new Error(`expected one result, got ${journal.length}`);
  return result;
}
