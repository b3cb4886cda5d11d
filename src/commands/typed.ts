import { processEnvironment } from "../config/environment.js";

/** A command of ours as messages name it. */
const COMMAND = /(?<!npx )\bpromptmill (?=[a-z])/g;

/**
 * Names commands the way this one was called: in a checkout `promptmill` is not on the path, and what a
 * message tells to type must work when typed.
 */
export function asTyped(text: string, environment = processEnvironment()): string {
  const isThroughNpm = environment["npm_command"] !== undefined;
  return isThroughNpm ? text.replace(COMMAND, "npx promptmill ") : text;
}
