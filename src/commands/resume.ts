import type { Command } from "commander";
import { positiveNumber, sessionFlags, type SessionFlags } from "./flags.js";

interface ResumeFlags extends SessionFlags {
  readonly budget?: number;
  readonly worker: boolean;
  readonly acceptChangedInput?: boolean;
}

export function registerResume(program: Command): void {
  const command = program
    .command("resume <run>")
    .description("go on where a run stopped; settled rows are not called again")
    .option("--budget <amount>", "most money the run may cost over all its starts", positiveNumber)
    .option(
      "--accept-changed-input",
      "go on with an input that changed; rows that did not keep their results",
    )
    .option("--no-worker", "only coordinate; workers elsewhere call the model");
  sessionFlags(command).action(async (runName: string, flags: ResumeFlags) => {
    const { resume } = await import("../run/run.js");
    const { supervise } = await import("./supervise.js");
    await supervise(flags, program, (session) =>
      resume({
        ...session,
        run: runName,
        worker: flags.worker,
        budget: flags.budget,
        acceptChangedInput: flags.acceptChangedInput,
      }),
    );
  });
}
