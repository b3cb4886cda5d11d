import type { Command } from "commander";
import { collect, positiveInteger } from "./flags.js";

interface EstimateFlags {
  readonly input?: string;
  readonly limit?: number;
  readonly set?: string[];
  readonly sample?: number;
  readonly calls?: number;
  readonly simulate?: string | boolean;
  readonly reuse?: string | boolean;
  readonly out?: string;
  readonly json?: boolean;
}

export function registerEstimate(program: Command): void {
  program
    .command("estimate <job>")
    .description("rows, tokens, cost and time of a run, before paying; nothing is called without --calls")
    .option("--input <file>", "instead of the job's input")
    .option("--limit <n>", "only the first n rows", positiveInteger)
    .option("--set <key=value>", "set a key of the job file; repeatable", collect)
    .option("--sample <n>", "count the tokens of n rows, spread evenly (default: 20000)", positiveInteger)
    .option(
      "--calls <n>",
      "call the model for n rows, to learn how long answers are; billed",
      positiveInteger,
    )
    .option("--simulate [spec]", "with --calls: call a simulated model instead")
    .option("--reuse [run|job]", "leave out rows that earlier runs have answered")
    .option("--out <folder>", "folder of run directories, for --reuse (default: runs)")
    .option("--json", "as JSON")
    .action(async (job: string, flags: EstimateFlags) => {
      const { parseSimulateFlag } = await import("./simulate-flag.js");
      const { parseSet } = await import("../job/index.js");
      const { estimate } = await import("../run/estimate.js");
      const { estimateText } = await import("./estimate-text.js");
      const set = parseSet(flags.set ?? []);
      if (flags.reuse !== undefined) set["reuse"] = flags.reuse;
      const result = await estimate({
        job,
        set,
        input: flags.input,
        limit: flags.limit,
        sample: flags.sample,
        calls: flags.calls,
        out: flags.out,
        simulate: await parseSimulateFlag(flags.simulate),
        config: program.opts<{ config?: string }>().config,
      });
      for (const warning of result.warnings) process.stderr.write(`warning: ${warning}\n`);
      process.stdout.write(flags.json ? `${JSON.stringify(result, null, 2)}\n` : estimateText(result));
    });
}
