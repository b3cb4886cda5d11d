import { setFlagsFromString } from "node:v8";
import { Command, CommanderError, Option } from "commander";
import { registerCommands } from "./commands/index.js";
import { ExitCode } from "./errors.js";
import { packageVersion } from "./version.js";

const EXIT_TABLE = `
Exit codes:
  0    every row succeeded
  1    unexpected: a bug
  2    usage, job file or input is wrong; nothing was called
  3    finished, some rows failed
  4    halted: no further call could succeed, or the budget is spent; resume goes on
  130  interrupted; settled rows are kept; resume goes on`;

// A command line can be read by everybody on the machine, and a queue's URL may hold a password.
process.title = [
  "promptmill",
  ...process.argv
    .slice(2)
    .filter((word) => /^[a-z]+$/.test(word))
    .slice(0, 1),
].join(" ");

// Left alone, V8 lets garbage pile up to several times of what is alive before it looks: 460 MB instead of 300 in a
// fast run, for no gain in speed. Known from V8 11 (Node 20) to 14; an engine without the flag would complain.
if (/^1[1-4]\./.test(process.versions.v8)) setFlagsFromString("--heap-growing-percent=100");

// A reader that goes away (`| head`) is no error: there is nobody left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(ExitCode.ok);
  throw error;
});

const program = new Command("promptmill")
  .description(
    "Runs prompts in bulk: rows in, answers and token usage out, nothing lost and nothing paid twice.",
  )
  .version(packageVersion(), "-V, --version", "print the version")
  .addOption(
    new Option("--config <file>", "configuration file (default: promptmill.config.yaml, looked for upward)"),
  )
  .addHelpText("after", EXIT_TABLE)
  .configureOutput({ outputError: (text, write) => write(text) })
  .exitOverride();
registerCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = error instanceof CommanderError ? commanderExit(error) : await report(error);
}

/** What it takes to report is not loaded before it is needed. */
async function report(error: unknown): Promise<number> {
  const { reportError } = await import("./commands/report-error.js");
  return reportError(error);
}

/** Commander has printed its message by now; only the code is ours to give. */
function commanderExit(error: CommanderError): number {
  return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
}
