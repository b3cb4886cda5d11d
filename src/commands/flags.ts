import { InvalidArgumentError, type Command } from "commander";

/** Flags of every command that works on runs. None has a default of its own. */
export interface SessionFlags {
  readonly out?: string;
  readonly queue?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly config?: string;
}

export function sessionFlags(command: Command): Command {
  return command
    .option("--out <folder>", "folder of run directories (default: runs)")
    .option("--queue <url>", "redis://… or rediss://… (default: PROMPTMILL_QUEUE, else embedded)")
    .option("--quiet", "no progress, no summary")
    .option("--json", "print the summary as JSON");
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

export function positiveInteger(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError("Expected a whole number from 1.");
  return number;
}

export function positiveNumber(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number) || number <= 0)
    throw new InvalidArgumentError("Expected a number above 0.");
  return number;
}

/** What stands between the cells of a CSV. */
export function delimiter(value: string): string {
  const character = value === "tab" || value === "\\t" ? "\t" : value;
  if (!/^[^"\r\n\w]$/.test(character))
    throw new InvalidArgumentError("Expected one character such as , or ; or |, or tab.");
  return character;
}

export function nonNegativeInteger(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError("Expected a whole number from 0.");
  return number;
}
