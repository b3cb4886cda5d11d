import { readFile } from "node:fs/promises";
import { inspect, parseEnv } from "node:util";
import { UsageError } from "../errors.js";

/** Environment variables by name. Holds keys: see `hidden`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables of a `.env` file under those of the process, which always win, also when they are empty.
 *
 * A missing file is no error. The result shows no value when it is logged or written as JSON.
 */
export async function withEnvFile(environment: Environment, path: string): Promise<Environment> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // A folder of that name is a virtual environment of Python more often than not.
    if (code === "ENOENT" || code === "EISDIR") return hidden({ ...environment });
    throw new UsageError(`${path} cannot be read (${code})`, {
      code: "file_unreadable",
      hint: "Check its permissions, or move it away.",
      cause,
    });
  }
  return hidden({ ...parseEnv(text.replace(/^\uFEFF/, "")), ...withoutUndefined(environment) });
}

/** Keeps values out of logs, error dumps and JSON; reading and spreading work as ever. */
export function hidden(environment: Record<string, string | undefined>): Environment {
  const shown = (): string => `[${Object.keys(environment).length} variables]`;
  Object.defineProperty(environment, "toJSON", { value: shown, enumerable: false });
  Object.defineProperty(environment, inspect.custom, { value: shown, enumerable: false });
  return environment;
}

function withoutUndefined(environment: Environment): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
}

/** The only place where this program reads the environment of its process. */
export function processEnvironment(): Environment {
  return hidden({ ...process.env });
}
