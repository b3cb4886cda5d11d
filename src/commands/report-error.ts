import { asTyped } from "./typed.js";
import { ExitCode, PromptmillError } from "../errors.js";

/** Tells on stderr what went wrong and what to do next. Returns the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof PromptmillError) {
    process.stderr.write(`error: ${error.message}\n`);
    if (error.hint !== undefined) process.stderr.write(`hint:  ${asTyped(error.hint)}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`error: this is a bug in promptmill, please report it.\n${text}\n`);
  return ExitCode.unexpected;
}
