import type { Command } from "commander";
import { ExitCode } from "../errors.js";
import type { RunSummary } from "../run/carry-out.js";
import type { SessionOptions } from "../run/session.js";
import type { SessionFlags } from "./flags.js";
import { openLog } from "./log.js";
import { openProgressDisplay } from "./progress-display.js";
import { summaryJson, summaryText } from "./summary.js";
import { asTyped } from "./typed.js";

/**
 * Carries a run out in front of a user: shows progress, turns the first Ctrl-C (or SIGTERM) into a stop in
 * good order and the second into an end at once, prints what came of it and sets the exit code.
 */
export async function supervise(
  flags: SessionFlags,
  program: Command,
  work: (session: SessionOptions) => Promise<RunSummary>,
): Promise<void> {
  const stop = new AbortController();
  const display = openProgressDisplay({ quiet: flags.quiet ?? false });
  const log = openLog({ quiet: flags.quiet ?? false, beforeWrite: display.clear });
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      display.stop();
      process.exit(ExitCode.interrupted);
    }
    stop.abort();
    display.note(
      signal === "SIGINT"
        ? "Stopping: calls in flight may finish (30 s at most). Ctrl-C again stops at once."
        : "Stopping: calls in flight may finish (30 s at most).",
    );
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  try {
    const config = program.opts<{ config?: string }>().config;
    const summary = await work({
      out: flags.out,
      queue: flags.queue,
      config,
      log,
      onProgress: display.show,
      signal: stop.signal,
    });
    display.stop();
    for (const warning of summary.warnings) log.warn({}, warning);
    if (flags.json) process.stdout.write(`${JSON.stringify(summaryJson(summary), null, 2)}\n`);
    else if (!flags.quiet) process.stdout.write(asTyped(summaryText(summary, process.stdout.columns ?? 80)));
    process.exitCode = exitCodeOf(summary);
  } finally {
    display.stop();
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

function exitCodeOf(summary: RunSummary): number {
  if (summary.state === "halted") return ExitCode.halted;
  if (summary.state === "interrupted") return ExitCode.interrupted;
  return summary.rows.failed > 0 ? ExitCode.rowsFailed : ExitCode.ok;
}
