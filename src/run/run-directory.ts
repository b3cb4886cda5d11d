import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { UsageError } from "../errors.js";
import { lockHolder, takeRunLock, type RunLock, type RunLockOptions } from "./lock/run-lock.js";
import { syncDirectory, writeFileAtomically } from "../writer/atomic-file.js";
import { checkRunId } from "./run-id.js";
import type { RunRecord } from "./record.js";

/** A run's folder, held by the one process that coordinates the run. */
export interface RunDirectory {
  readonly path: string;
  readonly lock: RunLock;
  readonly file: (name: string) => string;
  read(): Promise<RunRecord>;
  write(record: RunRecord): Promise<void>;
  /** Lets go of the run. One that was refused before it began leaves no folder behind. */
  release(): void;
}

/**
 * Makes `<root>/<runId>`, readable by its owner only, and takes its lock. UsageError when there is such a run; what a process left
 * behind that died before there was one is used again.
 */
export async function createRunDirectory(root: string, runId: string): Promise<RunDirectory> {
  const path = join(root, checkRunId(runId));
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const exists = (): UsageError =>
    new UsageError(`A run named ${runId} exists already: ${path}`, {
      code: "run_exists",
      hint: `Go on with it: promptmill resume ${runId}, or choose another --run-id.`,
    });
  if (readdirSync(path).some((name) => name !== "lock")) throw exists();
  const directory = await lockRunDirectory(path, { waitForStale: false });
  if (!isRunDirectory(path)) return directory;
  directory.release(); // another process was faster
  throw exists();
}

/** Takes the lock of an existing run. UsageError when a living process coordinates it. */
export async function lockRunDirectory(path: string, options: RunLockOptions = {}): Promise<RunDirectory> {
  const lock = await takeRunLock(join(path, "lock"), options);
  if (!("heldBy" in lock)) return openDirectory(path, lock);
  throw new UsageError(`The run in ${path} is being worked on by ${lock.description}.`, {
    code: "run_locked",
    hint: "Wait for it to end, or stop it with Ctrl-C; then try again.",
  });
}

function openDirectory(path: string, lock: RunLock): RunDirectory {
  const file = (name: string): string => join(path, name);
  return {
    path,
    lock,
    file,
    read: () => readRunRecord(path),
    write: async (record) => {
      await writeFileAtomically(file("run.json"), (append) => append(`${JSON.stringify(record, null, 2)}\n`));
      await syncDirectory(path);
    },
    release: () => {
      if (existsSync(file("run.json"))) lock.release();
      else rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Whether a living process coordinates the run right now. */
export function isRunLocked(path: string): boolean {
  return lockHolder(join(path, "lock")) !== null;
}

/** Reads run.json. UsageError when there is none, or one of another version. */
export async function readRunRecord(path: string): Promise<RunRecord> {
  let text: string;
  try {
    text = await readFile(join(path, "run.json"), "utf8");
  } catch (cause) {
    throw new UsageError(`${path} holds no run: run.json cannot be read.`, {
      code: "run_not_found",
      hint: "promptmill status lists the runs.",
      cause,
    });
  }
  let record: (Omit<RunRecord, "identity"> & Partial<Pick<RunRecord, "identity">>) | undefined;
  try {
    record = JSON.parse(text) as RunRecord;
  } catch {
    // said below
  }
  if (record?.schemaVersion !== 1) {
    throw new UsageError(`${join(path, "run.json")}: expected a run record of version 1.`, {
      code: "run_record_invalid",
      hint: "Was it written by a newer promptmill, or edited by hand?",
    });
  }
  return { ...record, identity: record.identity ?? identityOfOld(record) };
}

/** Runs of earlier versions had none: theirs is a UUID (version 8) of what nothing of another run has. */
function identityOfOld({ runId, createdAt }: Pick<RunRecord, "runId" | "createdAt">): string {
  const digits = createHash("sha256").update(`${runId} ${createdAt}`).digest("hex");
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-8$3-8$4-$5");
}

/** Finds a run by id below `root`, or by its directory. UsageError when there is none. */
export function findRun(root: string, run: string): string {
  for (const path of [join(root, run), resolve(run)]) {
    if (isRunDirectory(path)) return path;
  }
  throw new UsageError(`No run ${JSON.stringify(run)}: neither below ${root} nor a run directory.`, {
    code: "run_not_found",
    hint: "promptmill status lists the runs.",
  });
}

/** Directories of all runs below `root`, by name; none when there is no such folder. */
export async function listRuns(root: string): Promise<string[]> {
  const names = await readdir(root).catch(() => []);
  return names
    .map((name) => join(root, name))
    .filter(isRunDirectory)
    .sort();
}

function isRunDirectory(path: string): boolean {
  return statSync(join(path, "run.json"), { throwIfNoEntry: false })?.isFile() ?? false;
}
