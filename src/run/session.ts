import { resolve } from "node:path";
import { loadConfig, processEnvironment, type Config } from "../config.js";
import { silentLog, type Log } from "../log.js";
import type { Progress } from "./progress.js";

/** What every command on runs takes. Paths are relative to `cwd`. */
export interface SessionOptions {
  /** Default: the process's working folder. */
  readonly cwd?: string | undefined;
  /** Folder of run directories. @default runs */
  readonly out?: string | undefined;
  /** Path of the configuration file; absent: looked for from `cwd` upward. */
  readonly config?: string | undefined;
  /** Queue URL; absent: PROMPTMILL_QUEUE, the configuration file, else the embedded queue. */
  readonly queue?: string | undefined;
  readonly log?: Log | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops the run in good order: calls in flight finish, what is settled is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The same with everything looked up, once. */
export interface Session {
  readonly cwd: string;
  readonly runsRoot: string;
  readonly config: Config;
  readonly queueUrl: string | null;
  readonly log: Log;
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

export async function openSession(options: SessionOptions): Promise<Session> {
  const cwd = options.cwd ?? process.cwd();
  const config = await loadConfig({ path: options.config, cwd, env: options.env ?? processEnvironment() });
  return {
    cwd,
    runsRoot: resolve(cwd, options.out ?? "runs"),
    config,
    queueUrl: options.queue ?? blankIsAbsent(config.environment["PROMPTMILL_QUEUE"]) ?? config.queue,
    log: options.log ?? silentLog,
    onProgress: options.onProgress ?? (() => {}),
    signal: options.signal ?? new AbortController().signal,
  };
}

function blankIsAbsent(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value;
}
