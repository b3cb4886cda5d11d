import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * Runs a program of Node's on this terminal and resolves to its exit code.
 *
 * Ctrl-C reaches the whole foreground group, so the program has it already: we wait for how it ends. A
 * SIGTERM comes to us alone and is passed on.
 */
export function runToEnd(args, options = {}) {
  const child = spawn(process.execPath, args, { stdio: "inherit", ...options });
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}
