import type { Command } from "commander";
import { collect, positiveNumber, sessionFlags, type SessionFlags } from "./flags.js";

interface RetryFlags extends SessionFlags {
  readonly kind?: string[];
  readonly code?: string[];
  readonly finishReason?: string[];
  readonly set?: string[];
  readonly budget?: number;
  readonly worker: boolean;
}

export function registerRetry(program: Command): void {
  const command = program
    .command("retry <run>")
    .description("call the failed rows of a run again; rows that succeeded are left alone")
    .option(
      "--kind <kind>",
      "only rows that failed so (timeout, server, content_filter, …); repeatable",
      collect,
    )
    .option("--code <code>", "only rows with this error code; repeatable", collect)
    .option(
      "--finish-reason <reason>",
      "answers that ended so: length for those cut off; repeatable",
      collect,
    )
    .option(
      "--set <key=value>",
      "with a changed key of the job, e.g. parameters.maxTokens=4000; repeatable",
      collect,
    )
    .option("--budget <amount>", "most money the run may cost over all its starts", positiveNumber)
    .option("--no-worker", "only coordinate; workers elsewhere call the model");
  sessionFlags(command).action(async (runName: string, flags: RetryFlags) => {
    const { parseSet } = await import("../job/index.js");
    const { retry } = await import("../run/run.js");
    const { supervise } = await import("./supervise.js");
    await supervise(flags, program, (session) =>
      retry({
        ...session,
        run: runName,
        worker: flags.worker,
        budget: flags.budget,
        kinds: flags.kind,
        codes: flags.code,
        finishReasons: flags.finishReason,
        set: parseSet(flags.set ?? []),
      }),
    );
  });
}
