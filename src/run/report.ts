import { readFile } from "node:fs/promises";
import { UsageError } from "../errors.js";
import type { Config } from "../config.js";
import {
  compareWithBill,
  readBill,
  type BillComparison,
  type CompareOptions,
  type RunUsage,
} from "../usage/index.js";
import { collectRuns } from "./collect-runs.js";
import { configuredPrices } from "./prices.js";
import { findRun } from "./run-directory.js";
import { pricingOf } from "./run-pricing.js";

export interface ReportRunsOptions {
  readonly runsRoot: string;
  /** Run ids, run directories or folders of them; none: every run below `runsRoot`. */
  readonly runs: readonly string[];
  /** Its prices, and where the calls of runs went that do not say it themselves. */
  readonly config: Config;
  /** Apply today's prices anew instead of what each run was priced with when it ended. */
  readonly reprice: boolean;
  /** Count simulated runs, which cost nothing. Runs that are named are counted in any case. */
  readonly simulated: boolean;
}

export interface ReportRuns {
  readonly runs: readonly RunUsage[];
  /** Simulated runs that were left out. */
  readonly leftOut: number;
}

/** The runs that a report is about. UsageError when a name means none, or there is no folder of runs. */
export async function reportRuns(options: ReportRunsOptions): Promise<ReportRuns> {
  const { runsRoot, config, reprice } = options;
  const paths = options.runs.length === 0 ? [runsRoot] : options.runs.map((run) => pathOf(runsRoot, run));
  const found = await collectRuns(paths, {
    prices: configuredPrices(config),
    reprice,
    pricingOf: (job) => pricingOf(job, config),
  });
  const counts = (run: RunUsage): boolean =>
    !run.simulated || options.simulated || paths.includes(run.directory);
  const runs = found.filter(counts);
  return { runs, leftOut: found.length - runs.length };
}

/** Compares runs with a provider's bill in a file. UsageError when it cannot be read as one. */
export async function checkBill(
  runs: readonly RunUsage[],
  file: string,
  options: CompareOptions,
): Promise<BillComparison> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new UsageError(`The bill ${file} cannot be read: ${(cause as Error).message}.`, {
      code: "bill_unreadable",
      hint: "Give the path of a CSV file with day, model and amount: --check bill.csv",
      cause,
    });
  }
  return compareWithBill(runs, readBill(text, file), options);
}

/** A folder of runs is as good as a run. */
function pathOf(runsRoot: string, run: string): string {
  try {
    return findRun(runsRoot, run);
  } catch (error) {
    if (run.includes("/") || run.startsWith(".")) return run;
    throw error;
  }
}
