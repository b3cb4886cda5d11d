import { resolve } from "node:path";
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
    .description("check a job file, its input's header and its templates; nothing is called")
    .option("--input <file>", "instead of the job's input")
    .option("--set <key=value>", "set a key of the job file; repeatable", collect)
    .option("--json", "the resolved job as JSON")
    .action(async (path: string, flags: ValidateFlags) => {
      const { loadConfig, processEnvironment } = await import("../config.js");
      const { UsageError } = await import("../errors.js");
      const { describeInput } = await import("../input/index.js");
      const { compileRequests, loadJob, missingColumns, parseSet } = await import("../job/index.js");
      const { resolveEndpoint } = await import("../provider/index.js");
      const { checkOutput } = await import("../run/answer-columns.js");
      const config = await loadConfig({
        path: program.opts<{ config?: string }>().config,
        cwd: process.cwd(),
        env: processEnvironment(),
      });
      const set = parseSet(flags.set ?? []);
      if (flags.input !== undefined) set["input.path"] = resolve(flags.input);
      const { job, warnings } = await loadJob(resolve(path), { config, set });
      const endpoint = resolveEndpoint(job, config.providers, config.environment);
      const builder = compileRequests(job);
      const input = job.input.path === "-" ? null : await describeInput(job.input);
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      checkOutput(job, input?.columns ?? []);
      const missing = input === null ? [] : missingColumns(job, input.columns);
      if (input !== null && missing.length > 0) {
        const list = missing.map(({ column, where }) => `  ${column}   (${where})`).join("\n");
        throw new UsageError(`The job uses columns that ${input.path} does not have:\n${list}`, {
          code: "column_missing",
          hint: `Its columns: ${input.columns.join(", ")}`,
        });
      }
      if (flags.json) {
        process.stdout.write(`${JSON.stringify({ job, input }, null, 2)}\n`);
        return;
      }
      const described =
        input === null
          ? "standard input (not looked at)"
          : `${input.path} (${input.format}, ${input.encoding}, columns: ${input.columns.join(", ")})`;
      const uses = builder.variables.length === 0 ? "none" : builder.variables.join(", ");
      process.stdout.write(
        `${job.name}: the job file is valid.\n` +
          `  model   ${job.model} at ${endpoint.displayUrl}\n` +
          `  preset  ${job.preset ?? "none"}\n` +
          `  input   ${described}\n` +
          `  uses    ${uses}\n`,
      );
    });
}
