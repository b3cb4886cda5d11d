import type { Command } from "commander";
import { collect } from "./flags.js";

interface ValidateFlags {
  readonly set?: string[];
  readonly input?: string;
  readonly json?: boolean;
}

export function registerValidate(program: Command): void {
  program
    .command("validate <job>")
    .description("check a job file and every row of its input as a run does; nothing is called")
    .option("--input <file>", "instead of the job's input")
    .option("--set <key=value>", "set a key of the job file; repeatable", collect)
    .option("--json", "the resolved job as JSON")
    .action(async (path: string, flags: ValidateFlags) => {
      const { printable } = await import("../input/unsafe-text.js");
      const { parseSet } = await import("../job/index.js");
      const { validateJob } = await import("../run/validate.js");
      const { job, endpoint, builder, input, warnings } = await validateJob({
        job: path,
        input: flags.input,
        set: parseSet(flags.set ?? []),
        config: program.opts<{ config?: string }>().config,
      });
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      if (flags.json) {
        process.stdout.write(`${JSON.stringify({ job, input }, null, 2)}\n`);
        return;
      }
      const described =
        input === null
          ? "standard input; its rows were not read"
          : `${input.path} (${input.format}, ${input.encoding}, ${input.rows} rows, columns: ${printable(input.columns.join(", "))})`;
      const uses = builder.variables.length === 0 ? "none" : printable(builder.variables.join(", "));
      process.stdout.write(
        `${job.name}: the job file is valid.\n` +
          `  model   ${job.model} at ${endpoint.displayUrl}\n` +
          `  preset  ${job.preset ?? "none"}\n` +
          `  input   ${described}\n` +
          `  uses    ${uses}\n`,
      );
    });
}
