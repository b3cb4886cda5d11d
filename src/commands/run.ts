import type { Command } from "commander";
import { collect, positiveInteger, positiveNumber, sessionFlags, type SessionFlags } from "./flags.js";

interface RunFlags extends SessionFlags {
  readonly input?: string;
  readonly concurrency?: number;
  readonly limit?: number;
  readonly budget?: number;
  readonly reuse?: string | boolean;
  readonly lenient?: boolean;
  readonly set?: string[];
  readonly runId?: string;
  readonly simulate?: string | boolean;
  readonly worker: boolean;
}

export function registerRun(program: Command): void {
  const command = program
    .command("run <job>")
    .description("run a job over its input, start to end")
    .option("--input <file>", 'instead of the job\'s input; "-" is standard input')
    .option("--concurrency <n>", "calls under way at once", positiveInteger)
    .option("--limit <n>", "only the first n rows", positiveInteger)
    .option("--lenient", "rows that cannot be read fail by themselves instead of stopping the run")
    .option("--budget <amount>", "halt before the run could cost more than this", positiveNumber)
    .option("--reuse [run|job]", "take answers of earlier runs of this job (or of the one named) at no cost")
    .option(
      "--set <key=value>",
      "set a key of the job file, e.g. parameters.maxTokens=200; repeatable",
      collect,
    )
    .option("--run-id <id>", "name the run yourself")
    .option(
      "--simulate [spec]",
      "answers from a simulated model: no key, no cost; e.g. latency=50,rate_limit=0.1",
    )
    .option("--no-worker", "only coordinate; workers elsewhere call the model");
  sessionFlags(command).action(async (job: string, flags: RunFlags) => {
    const { parseSimulateFlag } = await import("./simulate-flag.js");
    const { parseSet } = await import("../job/index.js");
    const { run } = await import("../run/run.js");
    const { supervise } = await import("./supervise.js");
    const simulate = await parseSimulateFlag(flags.simulate);
    await supervise(flags, program, (session) =>
      run({
        ...session,
        job,
        simulate,
        input: flags.input,
        concurrency: flags.concurrency,
        limit: flags.limit,
        budget: flags.budget,
        reuse: flags.reuse,
        set: { ...parseSet(flags.set ?? []), ...(flags.lenient ? { "input.lenient": true } : {}) },
        runId: flags.runId,
        worker: flags.worker,
      }),
    );
  });
}
