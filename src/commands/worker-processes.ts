import { fork, type ChildProcess } from "node:child_process";
import { ExitCode } from "../errors.js";
import { openLog } from "./log.js";
import type { WorkerProcessOptions } from "./worker-process.js";

const FIRST_RESTART_MS = 500;
const LAST_RESTART_MS = 30_000;
/** A process that lived so long was well; its next restart is quick again. */
const WELL_AFTER_MS = 60_000;

/**
 * Keeps `count` worker processes alive: one that dies is started again, ever more slowly while it dies at
 * once. SIGTERM and SIGINT go to all of them. Resolves with the exit code when they have ended; a process
 * that finds its usage wrong (exit 2) ends all, since every other would.
 */
export async function superviseProcesses(count: number, options: WorkerProcessOptions): Promise<number> {
  const log = openLog({ quiet: options.quiet, beforeWrite: () => {} });
  const children = new Set<ChildProcess>();
  let stopping = false;
  let exitCode: number = ExitCode.ok;
  const timers = new Map<NodeJS.Timeout, () => void>();
  const stopAll = (signal: NodeJS.Signals): void => {
    stopping = true;
    for (const [timer, done] of timers) {
      clearTimeout(timer);
      done();
    }
    for (const child of children) child.kill(signal);
  };
  process.on("SIGTERM", stopAll);
  process.on("SIGINT", stopAll);

  const keepOne = async (): Promise<void> => {
    let waitMs = FIRST_RESTART_MS;
    while (!stopping) {
      const startedAt = performance.now();
      const child = start(options);
      children.add(child);
      const { code, signal } = await ended(child);
      children.delete(child);
      if (stopping) return;
      if (code === ExitCode.usage) {
        exitCode = code;
        stopAll("SIGTERM");
        return;
      }
      if (performance.now() - startedAt > WELL_AFTER_MS) waitMs = FIRST_RESTART_MS;
      log.warn(
        { pid: child.pid, code, signal, restartInMs: waitMs },
        "A worker process ended; starting another",
      );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          timers.delete(timer);
          resolve();
        }, waitMs);
        timers.set(timer, resolve);
      });
      waitMs = Math.min(LAST_RESTART_MS, waitMs * 2);
    }
  };
  await Promise.all(Array.from({ length: count }, keepOne));
  process.off("SIGTERM", stopAll);
  process.off("SIGINT", stopAll);
  return exitCode;
}

/** The queue's URL goes by the environment: a command line can be read by everybody on the machine. */
function start(options: WorkerProcessOptions): ChildProcess {
  const flags = ["--concurrency", String(options.concurrency), "--grace", String(options.graceSeconds)];
  if (options.quiet) flags.push("--quiet");
  const config = options.config === undefined ? [] : ["--config", options.config];
  const environment = options.queue === undefined ? {} : { PROMPTMILL_QUEUE: options.queue };
  return fork(process.argv[1] ?? "", [...config, "worker", ...flags], {
    env: { ...process.env, ...environment },
    // Of its own, so that Ctrl-C on a terminal reaches a child once, through us.
    detached: true,
  });
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.once("error", () => resolve({ code: null, signal: null }));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}
