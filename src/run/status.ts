import { foldJournal } from "../journal/index.js";
import type { RunRecord } from "./record.js";
import { findRun, isRunLocked, listRuns, readRunRecord } from "./run-directory.js";

/** How a run stands, as seen from outside. */
export interface RunStatus {
  readonly runId: string;
  readonly directory: string;
  readonly job: string;
  /** `stopped`: its process died; `resume` goes on. */
  readonly state: RunRecord["state"] | "stopped";
  readonly rows: { readonly total: number; readonly succeeded: number; readonly failed: number };
  readonly simulated: boolean;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly halt: RunRecord["halt"];
}

/** Status of one run, by id or directory; counts come from its journal while it is under way. */
export async function runStatus(runsRoot: string, run: string): Promise<RunStatus> {
  return await statusOf(findRun(runsRoot, run));
}

/** Status of every run below `runsRoot`, oldest first. Folders that cannot be read are told to `onUnreadable`. */
export async function runStatuses(
  runsRoot: string,
  onUnreadable: (path: string, error: Error) => void,
): Promise<RunStatus[]> {
  const statuses: RunStatus[] = [];
  for (const path of await listRuns(runsRoot)) {
    try {
      statuses.push(await statusOf(path));
    } catch (error) {
      onUnreadable(path, error as Error);
    }
  }
  return statuses.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

async function statusOf(path: string): Promise<RunStatus> {
  const record = await readRunRecord(path);
  const isStopped = record.state === "running" && !isRunLocked(path);
  const { identity, rows } = record;
  const counts =
    record.state === "running"
      ? (await foldJournal({ directory: path, identity, rows })).rows
      : record.counts;
  return {
    runId: record.runId,
    directory: path,
    job: record.job.name,
    state: isStopped ? "stopped" : record.state,
    rows: { total: rows, succeeded: counts.succeeded, failed: counts.failed },
    simulated: record.simulated,
    createdAt: record.createdAt,
    finishedAt: record.finishedAt,
    halt: record.halt,
  };
}
