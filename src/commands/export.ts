import { resolve } from "node:path";
import { Option, type Command } from "commander";
import { delimiter } from "./flags.js";

interface ExportFlags {
  readonly out?: string;
  readonly to?: string;
  readonly format?: "csv" | "jsonl";
  readonly column?: string;
  readonly excel?: boolean;
  readonly delimiter?: string;
  readonly formulaSafe: boolean;
}

export function registerExport(program: Command): void {
  program
    .command("export <run>")
    .description("make the result files of a run anew, with no call; works at any time")
    .option("--out <folder>", "folder of run directories (default: runs)")
    .option("--to <folder>", "where the files go (default: the run directory)")
    .addOption(new Option("--format <format>", "instead of the job's").choices(["csv", "jsonl"]))
    .option("--column <name>", "name of the answer column, instead of the job's")
    .option("--excel", "CSV with a byte order mark and CRLF")
    .option("--delimiter <character>", "of a CSV, instead of the job's", delimiter)
    .option("--no-formula-safe", "leave cells alone that a spreadsheet would take for formulas")
    .action(async (run: string, flags: ExportFlags) => {
      const { mkdir } = await import("node:fs/promises");
      const { exportRun } = await import("../run/export.js");
      if (flags.to !== undefined) await mkdir(flags.to, { recursive: true });
      const { files, warnings } = await exportRun({
        run,
        runsRoot: resolve(flags.out ?? "runs"),
        to: flags.to,
        output: {
          ...(flags.format === undefined ? {} : { format: flags.format }),
          ...(flags.column === undefined ? {} : { column: flags.column }),
          ...(flags.excel === undefined ? {} : { excel: flags.excel }),
          ...(flags.delimiter === undefined ? {} : { delimiter: flags.delimiter }),
          ...(flags.formulaSafe ? {} : { formulaSafe: false }),
        },
      });
      for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
      process.stdout.write(`${files.results}\n${files.errors === null ? "" : `${files.errors}\n`}`);
    });
}
