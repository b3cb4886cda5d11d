import type { Command } from "commander";

interface PricesFlags {
  readonly json?: boolean;
}

export function registerPrices(program: Command): void {
  program
    .command("prices")
    .description("list the prices that costs are computed from, with date and source")
    .option("--json", "as JSON: entries as prices: of the configuration file takes them")
    .action(async (flags: PricesFlags) => {
      const { loadConfig, processEnvironment } = await import("../config.js");
      const { configuredPrices } = await import("../run/prices.js");
      const { formatPrices, priceTableAgeWarning } = await import("../usage/index.js");
      const config = await loadConfig({
        path: program.opts<{ config?: string }>().config,
        cwd: process.cwd(),
        env: processEnvironment(),
      });
      const table = configuredPrices(config);
      const { asOf, notes, entries } = table;
      process.stdout.write(
        flags.json ? `${JSON.stringify({ asOf, notes, entries }, null, 2)}\n` : formatPrices(table),
      );
      const age = priceTableAgeWarning(table, new Date());
      if (age !== null) process.stderr.write(`warning: ${age}\n`);
    });
}
