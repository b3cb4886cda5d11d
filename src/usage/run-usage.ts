import type { UsageReport } from "./usage-report.js";

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
