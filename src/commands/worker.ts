import type { Command } from "commander";
import { nonNegativeInteger, positiveInteger } from "./flags.js";

/** Calls at once when nothing else is said. */
const DEFAULT_CONCURRENCY = 32;
const DEFAULT_GRACE_SECONDS = 30;

interface WorkerFlags {
  readonly queue?: string;
  readonly concurrency?: number;
  readonly processes?: number | "auto";
  readonly grace?: number;
  readonly quiet?: boolean;
}

export function registerWorker(program: Command): void {
  program
    .command("worker")
    .description("call models for any run on a Redis queue, until stopped")
    .option("--queue <url>", "redis://… or rediss://… (default: PROMPTMILL_QUEUE)")
    .option(
      "--concurrency <n>",
      `calls under way at once, per process (default: ${DEFAULT_CONCURRENCY})`,
      positiveInteger,
    )
    .option("--processes <n>", 'worker processes on this machine, or "auto" for one per core', processCount)
    .option(
      "--grace <seconds>",
      `how long calls in flight may take when stopped (default: ${DEFAULT_GRACE_SECONDS})`,
      nonNegativeInteger,
    )
    .option("--quiet", "only warnings")
    .action(async (flags: WorkerFlags) => {
      const config = program.opts<{ config?: string }>().config;
      const options = {
        queue: flags.queue,
        config,
        concurrency: flags.concurrency ?? DEFAULT_CONCURRENCY,
        graceSeconds: flags.grace ?? DEFAULT_GRACE_SECONDS,
        quiet: flags.quiet ?? false,
      };
      if (flags.processes === undefined) {
        const { runWorkerProcess } = await import("./worker-process.js");
        await runWorkerProcess(options);
        return;
      }
      const { availableParallelism } = await import("node:os");
      const { superviseProcesses } = await import("./worker-processes.js");
      const processes = flags.processes === "auto" ? availableParallelism() : flags.processes;
      process.exitCode = await superviseProcesses(processes, options);
    });
}

function processCount(value: string): number | "auto" {
  return value === "auto" ? value : positiveInteger(value);
}
