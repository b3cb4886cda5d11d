import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { UsageError } from "../errors.js";
import { foldJournal, journalFiles } from "../journal/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { Ledger } from "../protocol/ledger.js";
import {
  buildUsageReport,
  compareText,
  parseUsageFile,
  UsageTotals,
  type PriceTable,
  type RunUsage,
  type UsageReport,
} from "../usage/index.js";
import type { RunRecord } from "./record.js";
import { isRunLocked, readRunRecord } from "./run-directory.js";
import type { RunPricing } from "./run-pricing.js";

export interface CollectRunsOptions {
  /** Prices for what is added up from journals. Default: the built-in table. */
  readonly prices?: PriceTable;
  /** Read every journal again, so that `prices` holds for all runs. */
  readonly reprice?: boolean;
  /** How calls of a job are priced whose run.json does not say it. Default: by provider and region that it names. */
  readonly pricingOf?: (job: ResolvedJob) => RunPricing;
}

/** Rows that a journal may name whose run.json cannot be read. */
const ROWS_AT_MOST = 2 ** 27;

/**
 * Finds runs and their usage. Each path is a run directory or a folder of them; anything else inside is
 * passed over. Sorted by start. Throws UsageError when a path is not a directory.
 */
export async function collectRuns(
  paths: readonly string[],
  options: CollectRunsOptions = {},
): Promise<RunUsage[]> {
  const runs: RunUsage[] = [];
  for (const directory of await runDirectories(paths)) runs.push(await usageOfRun(directory, options));
  return runs.sort(
    (a, b) => compareText(a.usage.startedAt, b.usage.startedAt) || compareText(a.directory, b.directory),
  );
}

async function runDirectories(paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of paths) {
    if (await isRun(path)) {
      found.add(path);
      continue;
    }
    for (const name of await listDirectory(path)) {
      const child = join(path, name);
      if (await isRun(child)) found.add(child);
    }
  }
  return found;
}

async function listDirectory(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (cause) {
    throw new UsageError(`No run directory and no folder of runs: ${path}.`, {
      code: "run_not_found",
      hint: "Give a run id, a run directory, or the folder that holds them (runs/ by default).",
      cause,
    });
  }
}

async function isRun(path: string): Promise<boolean> {
  for (const name of ["usage.json", "run.json", "journal.jsonl"])
    if ((await modifiedMs(join(path, name))) !== null) return true;
  return false;
}

async function usageOfRun(directory: string, options: CollectRunsOptions): Promise<RunUsage> {
  const warnings: string[] = [];
  const record = await readRecord(directory, warnings);
  const stored = await readStored(directory, warnings);
  const journalMs = await newestMs(journalFiles(directory).map(({ path }) => path));
  const isCurrent = stored !== null && (journalMs ?? 0) <= stored.modifiedMs;
  const simulated = record?.simulated ?? false;
  if (isCurrent && (journalMs === null || options.reprice !== true)) {
    const { usage } = stored;
    const finished = usage.finishedAt !== null;
    return { directory, source: "usage.json", finished, simulated, usage, warnings };
  }
  const before = stored?.usage ?? null;
  const finishedAt =
    record?.state === "finished" ? record.finishedAt : (isCurrent && before?.finishedAt) || null;
  const totals = openTotals(record, before, options);
  const calls = await addJournal(directory, record, totals, warnings);
  const usage = buildUsageReport(totals, {
    runId: record?.runId ?? before?.runId ?? basename(directory),
    job: record?.job.name ?? before?.job ?? "(unknown)",
    tags: record?.job.tags ?? before?.tags ?? {},
    startedAt: record?.startedAt ?? before?.startedAt ?? "",
    finishedAt,
    ...calls,
  });
  return { directory, source: "journal", finished: finishedAt !== null, simulated, usage, warnings };
}

/** As the run itself prices its calls. */
function openTotals(
  record: RunRecord | null,
  stored: UsageReport | null,
  { prices, pricingOf }: CollectRunsOptions,
): UsageTotals {
  const derived = record === null ? null : (pricingOf?.(record.job) ?? null);
  const pricing = record?.pricing ?? stored ?? derived;
  const named = record?.job;
  return new UsageTotals({
    provider: pricing?.provider ?? named?.provider ?? null,
    region: pricing?.region ?? named?.region ?? null,
    lane: pricing?.lane ?? "real-time",
    ...(prices ? { prices } : {}),
  });
}

/** Returns the calls whose ends nobody told. */
async function addJournal(
  directory: string,
  record: RunRecord | null,
  totals: UsageTotals,
  warnings: string[],
): Promise<{ openStarts?: ReturnType<Ledger["openStarts"]>; unknownStarts?: number }> {
  let unreadable = 0;
  const ledger = await foldJournal(
    {
      directory,
      identity: record?.identity ?? null,
      rows: record?.rows ?? ROWS_AT_MOST,
      onUnreadable: () => unreadable++,
    },
    totals,
  );
  if (unreadable > 0) warnings.push(`${directory}: ${unreadable} lines of the journal could not be read.`);
  // Of a run that goes on, calls without an end are under way.
  if (isRunLocked(directory)) return {};
  return { openStarts: ledger.openStarts(), unknownStarts: ledger.unknownStarts };
}

async function readRecord(directory: string, warnings: string[]): Promise<RunRecord | null> {
  try {
    return await readRunRecord(directory);
  } catch {
    if ((await modifiedMs(join(directory, "run.json"))) !== null)
      warnings.push(`${directory}: run.json could not be read.`);
    return null;
  }
}

async function readStored(
  directory: string,
  warnings: string[],
): Promise<{ usage: UsageReport; modifiedMs: number } | null> {
  const path = join(directory, "usage.json");
  const ms = await modifiedMs(path);
  if (ms === null) return null;
  const usage = parseUsageFile(await readFile(path, "utf8"));
  if (usage === null) warnings.push(`${directory}: usage.json could not be read.`);
  return usage && { usage, modifiedMs: ms };
}

async function newestMs(paths: readonly string[]): Promise<number | null> {
  let newest: number | null = null;
  for (const path of paths) newest = Math.max(newest ?? 0, (await modifiedMs(path)) ?? 0);
  return newest;
}

async function modifiedMs(path: string): Promise<number | null> {
  try {
    const file = await stat(path);
    return file.isFile() ? file.mtimeMs : null;
  } catch {
    return null;
  }
}
