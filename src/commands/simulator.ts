import type { Command } from "commander";
import { nonNegativeInteger } from "./flags.js";

interface SimulatorFlags {
  readonly port?: number;
  readonly host?: string;
  readonly behave?: string;
  readonly key: boolean;
  readonly strictModels?: boolean;
  readonly help?: boolean;
}

const example = `
Examples:
  promptmill simulator --behave latency=200,seed=3,rpm=600,rate_limit=0.05
  promptmill simulator --behave usage:missing,finish:error=0.1,body:gzip
`;

export function registerSimulator(program: Command): void {
  program
    .command("simulator")
    .description("serve a simulated model until stopped")
    .option("--port <n>", "port (default: any free one)", nonNegativeInteger)
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option(
      "--behave <spec>",
      "latency=<ms>, seed, rpm, tpm, and the names below, each with the share of calls that meet it",
    )
    .option("--no-key", "answer calls without a key too")
    .option("--strict-models", "refuse models of other families than Model Studio's")
    // Commander's own help cannot wait for the list of faults to be loaded.
    .helpOption(false)
    .option("-h, --help", "display help, with all that can go wrong or be odd")
    .action(async (flags: SimulatorFlags, command: Command) => {
      const { faultHelp, startSimulator } = await import("../simulator/index.js");
      if (flags.help === true) {
        command.addHelpText("after", `${example}\n${faultHelp()}`).outputHelp();
        return;
      }
      const { parseSimulateFlag } = await import("./simulate-flag.js");
      const behaviour = await parseSimulateFlag(flags.behave);
      const simulator = await startSimulator({
        ...(typeof behaviour === "boolean" ? {} : behaviour),
        ...(flags.port === undefined ? {} : { port: flags.port }),
        ...(flags.host === undefined ? {} : { host: flags.host }),
        requireKey: flags.key,
        strictModels: flags.strictModels ?? false,
      });
      const address = flags.key ? `${simulator.url}/?api_key=sk-simulated` : simulator.url;
      process.stdout.write(
        `simulated model on ${simulator.url}${flags.key ? ", with any key" : ""}\n` +
          `  OpenAI-compatible  ${simulator.openaiBaseUrl}\n` +
          `  DashScope          ${simulator.dashscopeBaseUrl}\n` +
          `  calls so far       ${simulator.url}/__calls\n` +
          `To use it:  PROMPTMILL_SIMULATOR_URL='${address}' promptmill run <job> --set provider=simulator\n`,
      );
      await new Promise<void>((resolve) => {
        process.once("SIGINT", () => resolve());
        process.once("SIGTERM", () => resolve());
      });
      await simulator.close();
    });
}
