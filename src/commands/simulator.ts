import type { Command } from "commander";
import { nonNegativeInteger } from "./flags.js";

interface SimulatorFlags {
  readonly port?: number;
  readonly host?: string;
  readonly behave?: string;
}

export function registerSimulator(program: Command): void {
  program
    .command("simulator")
    .description("serve a simulated model until stopped")
    .option("--port <n>", "port (default: any free one)", nonNegativeInteger)
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option("--behave <spec>", "e.g. latency=200,seed=3,rpm=600,rate_limit=0.05,server_error=0.01")
    .action(async (flags: SimulatorFlags) => {
      const { parseSimulateFlag } = await import("./simulate-flag.js");
      const { startSimulator } = await import("../simulator/index.js");
      const behaviour = await parseSimulateFlag(flags.behave);
      const simulator = await startSimulator({
        ...(typeof behaviour === "boolean" ? {} : behaviour),
        ...(flags.port === undefined ? {} : { port: flags.port }),
        ...(flags.host === undefined ? {} : { host: flags.host }),
      });
      process.stdout.write(
        `simulated model on ${simulator.url}\n` +
          `  OpenAI-compatible  ${simulator.openaiBaseUrl}\n` +
          `  DashScope          ${simulator.dashscopeBaseUrl}\n` +
          `  calls so far       ${simulator.url}/__calls\n` +
          `To use it:  PROMPTMILL_SIMULATOR_URL=${simulator.url} promptmill run <job> --set provider=simulator\n`,
      );
      await new Promise<void>((resolve) => {
        process.once("SIGINT", () => resolve());
        process.once("SIGTERM", () => resolve());
      });
      await simulator.close();
    });
}
