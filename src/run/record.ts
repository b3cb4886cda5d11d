import type { InputSummary } from "../input/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { RunPricing } from "./run-pricing.js";

/**
 * - running: under way, or its process died (then nobody holds the lock)
 * - finished: every row is settled
 * - halted: stopped by what every row would meet, or by the budget
 * - interrupted: stopped by the user
 */
export type RunState = "running" | "finished" | "halted" | "interrupted";

/** run.json: what a resume, a report and a curious reader need. Holds no secret. */
export interface RunRecord {
  readonly schemaVersion: 1;
  readonly runId: string;
  /** A UUID made once, and again for another input: in every key, lease and event of the run. */
  readonly identity: string;
  readonly state: RunState;
  readonly job: ResolvedJob;
  /** As the first pass found it; `sha256` and `bytes` are of the raw file. */
  readonly input: InputSummary;
  /** Absent in runs of earlier versions that did not go on since: then it is found out from the job. */
  readonly pricing?: RunPricing;
  /** Rows of this run: the input's, or fewer by --limit. */
  readonly rows: number;
  readonly counts: { readonly succeeded: number; readonly failed: number; readonly truncated: number };
  /** Answers came from the simulator. */
  readonly simulated: boolean;
  readonly queue: {
    readonly kind: "redis" | "embedded";
    /** Without user and password. */
    readonly url: string;
  };
  readonly createdAt: string;
  /** Of the last start: run, resume or retry. */
  readonly startedAt: string;
  /** null while running. */
  readonly finishedAt: string | null;
  readonly halt: { readonly code: string; readonly message: string } | null;
  readonly versions: { readonly promptmill: string; readonly node: string };
}
