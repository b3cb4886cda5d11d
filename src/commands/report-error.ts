import { asTyped } from "./typed.js";
import { ExitCode, PromptmillError } from "../errors.js";
import { isDiskFull } from "../journal/journal-failure.js";

/** Tells on stderr what went wrong and what to do next. Returns the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof PromptmillError) {
    process.stderr.write(`error: ${error.message}\n`);
    if (error.hint !== undefined) process.stderr.write(`hint:  ${asTyped(error.hint)}\n`);
    return error.exitCode;
  }
  if (isDiskFull(error)) {
    process.stderr.write(`error: There is no room to write: ${(error as Error).message}\n`);
    process.stderr.write("hint:  Make room, then resume the run; settled rows are kept.\n");
    return ExitCode.halted;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`error: this is a bug in promptmill, please report it.\n${text}\n`);
  return ExitCode.unexpected;
}
