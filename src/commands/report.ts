import { resolve } from "node:path";
import { Option, type Command } from "commander";
import { collect } from "./flags.js";

interface ReportFlags {
  readonly out?: string;
  readonly by?: string;
  readonly since?: string;
  readonly until?: string;
  readonly timeZone?: string;
  readonly format?: "table" | "csv" | "json" | "html";
  readonly outFile?: string;
  readonly check?: string;
  readonly rate?: string[];
  readonly reprice?: boolean;
  readonly simulated?: boolean;
  readonly json?: boolean;
}

export function registerReport(program: Command): void {
  program
    .command("report [runs...]")
    .description("usage and cost over runs (default: every run below the folder of runs)")
    .option("--out <folder>", "folder of run directories (default: runs)")
    .option(
      "--by <dimensions>",
      "job, model, day, provider, tag:<name>, or several: day,model (default: job)",
    )
    .option("--since <day>", "from this day or time on, e.g. 2026-11-01")
    .option("--until <day>", "up to and with this day")
    .option("--time-zone <name>", "whose days count, e.g. Asia/Shanghai (default: UTC)")
    .addOption(
      new Option("--format <format>", "how it is shown (default: table)").choices([
        "table",
        "csv",
        "json",
        "html",
      ]),
    )
    .option("--json", "the same as --format json")
    .option("--out-file <file>", "write it there instead of to stdout")
    .option("--check <bill.csv>", "compare with a provider's bill by day and model; exit 3 when they differ")
    .option("--rate <rate>", "convert a currency, e.g. CNY=0.14USD; repeatable", collect)
    .option("--reprice", "apply today's prices instead of those each run ended with")
    .option("--simulated", "count simulated runs too")
    .action(async (runs: string[], flags: ReportFlags) => {
      const text = await reportText(program, runs, flags);
      if (flags.outFile === undefined) {
        process.stdout.write(text);
        return;
      }
      const { writeFileAtomically } = await import("../writer/atomic-file.js");
      await writeFileAtomically(resolve(flags.outFile), (append) => append(text));
      process.stderr.write(`Written to ${flags.outFile}\n`);
    });
}

async function reportText(program: Command, names: readonly string[], flags: ReportFlags): Promise<string> {
  const { loadConfig, processEnvironment } = await import("../config.js");
  const { configuredPrices } = await import("../run/prices.js");
  const { checkBill, reportRuns } = await import("../run/report.js");
  const usage = await import("../usage/index.js");
  const { ExitCode } = await import("../errors.js");
  const config = await loadConfig({
    path: program.opts<{ config?: string }>().config,
    cwd: process.cwd(),
    env: processEnvironment(),
  });
  const prices = configuredPrices(config);
  const selection = {
    by: usage.parseDimensions(flags.by ?? "job"),
    rates: (flags.rate ?? []).map(usage.parseExchangeRate),
    ...(flags.since === undefined ? {} : { since: flags.since }),
    ...(flags.until === undefined ? {} : { until: flags.until }),
    ...(flags.timeZone === undefined ? {} : { timeZone: flags.timeZone }),
  };
  const { runs, leftOut } = await reportRuns({
    runsRoot: resolve(flags.out ?? "runs"),
    runs: names,
    config,
    reprice: flags.reprice ?? false,
    simulated: flags.simulated ?? false,
  });
  if (leftOut > 0) {
    const many = leftOut === 1 ? "1 simulated run is" : `${leftOut} simulated runs are`;
    process.stderr.write(`note: ${many} left out, since nothing was paid; --simulated counts them.\n`);
  }
  const age = usage.priceTableAgeWarning(prices, new Date());
  if (age !== null) process.stderr.write(`warning: ${age}\n`);
  const format = flags.json ? "json" : (flags.format ?? "table");
  const width = process.stdout.columns ?? 100;

  if (flags.check !== undefined) {
    const place = flags.timeZone === undefined ? {} : { timeZone: flags.timeZone };
    const comparison = await checkBill(runs, resolve(flags.check), place);
    if (comparison.differences.length > 0) process.exitCode = ExitCode.rowsFailed;
    return format === "json"
      ? `${JSON.stringify(comparison, null, 2)}\n`
      : usage.formatBillComparison(comparison, width);
  }
  switch (format) {
    case "html":
      return usage.formatReportHtml(runs, {
        ...selection,
        generatedAt: new Date(),
        ...(age === null ? {} : { notes: [age] }),
      });
    case "csv":
      return usage.formatReportCsv(usage.aggregate(runs, selection));
    case "json":
      return usage.formatReportJson(usage.aggregate(runs, selection));
    case "table":
      return usage.formatReportTable(usage.aggregate(runs, selection), width);
  }
}
