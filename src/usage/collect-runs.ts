import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { UsageError } from "../errors.js";
import { compareText } from "./compare-text.js";
import { sumJournal } from "./journal-usage.js";
import type { PriceTable } from "./price-table.js";
import { parseUsageFile } from "./usage-file.js";
import { buildUsageReport, type UsageReport } from "./usage-report.js";
import { UsageTotals } from "./usage-totals.js";

/** One run's usage, and how it came to be known. */
export interface RunUsage {
  readonly directory: string;
  /** `journal`: added up again, because usage.json was absent, older than the journal, or unreadable. */
  readonly source: "usage.json" | "journal";
  /** false: the run is going on or was interrupted. */
  readonly finished: boolean;
  /** Its answers came from the simulator: nothing was paid. */
  readonly simulated: boolean;
  readonly usage: UsageReport;
  /** Sentences about what could not be read. */
  readonly warnings: readonly string[];
}

export interface CollectRunsOptions {
  /** Prices for what is added up from journals. Default: the built-in table. */
  readonly prices?: PriceTable;
  /** Read every journal again, so that `prices` holds for all runs. */
  readonly reprice?: boolean;
}

const RUN_FILES = ["usage.json", "run.json", "journal.jsonl"] as const;

/**
 * Finds runs and their usage. Each path is a run directory or a folder of them; anything else inside is
 * passed over. Sorted by start. Throws UsageError when a path is not a directory.
 */
export async function collectRuns(
  paths: readonly string[],
  options: CollectRunsOptions = {},
): Promise<RunUsage[]> {
  const runs: RunUsage[] = [];
  for (const directory of await runDirectories(paths)) {
    const run = await readRun(directory, options);
    if (run) runs.push(run);
  }
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
  for (const name of RUN_FILES) if ((await modifiedMs(join(path, name))) !== null) return true;
  return false;
}

async function readRun(directory: string, options: CollectRunsOptions): Promise<RunUsage | null> {
  const warnings: string[] = [];
  const run = await readRunFile(directory);
  const journal = join(directory, "journal.jsonl");
  const journalMs = await modifiedMs(journal);
  const usageMs = await modifiedMs(join(directory, "usage.json"));
  const simulated = run?.simulated ?? false;
  const stored =
    usageMs === null ? null : parseUsageFile(await readFile(join(directory, "usage.json"), "utf8"));
  if (usageMs !== null && !stored) warnings.push(`${directory}: usage.json could not be read.`);
  const isCurrent = stored !== null && (journalMs === null || journalMs <= (usageMs ?? 0));
  if (stored && (journalMs === null || (isCurrent && !options.reprice))) {
    const finished = stored.finishedAt !== null;
    return { directory, source: "usage.json", finished, simulated, usage: stored, warnings };
  }
  if (journalMs === null && !run) return null;

  const totals = new UsageTotals({
    region: run?.region ?? stored?.region ?? null,
    provider: run?.provider ?? stored?.provider ?? null,
    lane: run?.lane ?? stored?.lane ?? "real-time",
    ...(options.prices ? { prices: options.prices } : {}),
  });
  const sum = journalMs === null ? null : await sumJournal(journal, totals);
  if (sum && sum.unreadableLines > 0) {
    warnings.push(`${directory}: ${sum.unreadableLines} lines of journal.jsonl could not be read.`);
  }
  const finishedAt = (isCurrent ? stored.finishedAt : null) ?? run?.finishedAt ?? null;
  const usage = buildUsageReport(totals, {
    runId: run?.runId ?? stored?.runId ?? basename(directory),
    job: run?.job ?? stored?.job ?? "(unknown)",
    tags: run?.tags ?? stored?.tags ?? {},
    startedAt: run?.startedAt ?? stored?.startedAt ?? sum?.lastFinishedAt ?? "",
    finishedAt,
  });
  return { directory, source: "journal", finished: finishedAt !== null, simulated, usage, warnings };
}

const text = z.string().optional().catch(undefined);
const tagsSchema = z.record(z.string(), z.coerce.string()).optional().catch(undefined);
const jobSchema = z.looseObject({ name: text, provider: text, region: text, tags: tagsSchema });
/** What a report needs of run.json; each field may be absent. */
const runFileSchema = z.looseObject({
  runId: text,
  job: z.union([z.string(), jobSchema]).optional().catch(undefined),
  startedAt: text,
  finishedAt: text,
  lane: z.enum(["real-time", "batch"]).optional().catch(undefined),
  simulated: z.boolean().optional().catch(undefined),
  times: z.looseObject({ startedAt: text, finishedAt: text }).optional().catch(undefined),
});

interface RunFacts {
  readonly runId: string | undefined;
  readonly job: string | undefined;
  readonly provider: string | undefined;
  readonly region: string | undefined;
  readonly tags: Record<string, string> | undefined;
  readonly startedAt: string | undefined;
  readonly finishedAt: string | undefined;
  readonly lane: "real-time" | "batch" | undefined;
  readonly simulated: boolean | undefined;
}

async function readRunFile(directory: string): Promise<RunFacts | null> {
  let data: unknown;
  try {
    data = JSON.parse(await readFile(join(directory, "run.json"), "utf8"));
  } catch {
    return null;
  }
  const run = runFileSchema.safeParse(data).data;
  if (!run) return null;
  const job = typeof run.job === "object" ? run.job : { name: run.job };
  return {
    runId: run.runId,
    job: job.name,
    provider: job.provider,
    region: job.region,
    tags: job.tags,
    startedAt: run.startedAt ?? run.times?.startedAt,
    finishedAt: run.finishedAt ?? run.times?.finishedAt,
    lane: run.lane,
    simulated: run.simulated,
  };
}

async function modifiedMs(path: string): Promise<number | null> {
  try {
    const file = await stat(path);
    return file.isFile() ? file.mtimeMs : null;
  } catch {
    return null;
  }
}
