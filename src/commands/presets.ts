import type { Command } from "commander";

export function registerPresets(program: Command): void {
  program
    .command("presets")
    .description("list presets: built in, and those of the configuration file")
    .option("--json", "as JSON")
    .action(async (flags: { json?: boolean }) => {
      const { loadConfig, processEnvironment } = await import("../config.js");
      const { collectPresets } = await import("../job/index.js");
      const config = await loadConfig({
        path: program.opts<{ config?: string }>().config,
        cwd: process.cwd(),
        env: processEnvironment(),
      });
      const presets = Object.values(collectPresets(config.presets, {}));
      if (flags.json) {
        process.stdout.write(`${JSON.stringify(presets, null, 2)}\n`);
        return;
      }
      const width = Math.max(6, ...presets.map(({ name }) => name.length));
      process.stdout.write(`${"preset".padEnd(width)}  temperature  top_p  from\n`);
      for (const { name, temperature, topP, source } of presets) {
        const cells = [
          name.padEnd(width),
          String(temperature ?? "-").padEnd(11),
          String(topP ?? "-").padEnd(5),
          source,
        ];
        process.stdout.write(`${cells.join("  ")}\n`);
      }
    });
}
