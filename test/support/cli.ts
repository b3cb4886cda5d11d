import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { mustEnd } from "./after-test.js";
import { until } from "./until.js";

const program = fileURLToPath(new URL("../../bin/promptmill.js", import.meta.url));

export interface CliOptions {
  readonly cwd: string;
  /** On top of PATH and HOME, which is all that the program inherits. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. */
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
}

export interface CliEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliProcess {
  readonly process: ChildProcess;
  readonly ended: Promise<CliEnd>;
  /** What came so far. */
  readonly stderr: () => string;
}

/** Starts the built program as users do. Killed, and the test failed, when it is still there at its end. */
export function spawnCli(args: readonly string[], options: CliOptions): CliProcess {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: options.cwd, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (stderr += text));
  child.stdin.on("error", () => {}); // a program that ends early reads no further
  child.stdin.end(options.input ?? "");
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const { timeoutMs = 110_000 } = options;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const ended = new Promise<CliEnd>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      process.off("exit", endWithUs);
      if (!timedOut) resolve({ code, signal, stdout, stderr });
      else reject(new Error(`promptmill ${args.join(" ")} took over ${timeoutMs} ms:\n${stdout}\n${stderr}`));
    });
  });
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null;
  mustEnd(`promptmill ${args[0] ?? ""} (${child.pid})`, isAlive, () => child.kill("SIGKILL"));
  return { process: child, ended, stderr: () => stderr };
}

/** Runs the program to its end. */
export async function cli(args: readonly string[], options: CliOptions): Promise<CliEnd> {
  return await spawnCli(args, options).ended;
}

/** Interrupts the program as Ctrl-C does, once the condition holds, and waits for its end. */
export async function interruptWhen(
  running: CliProcess,
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<CliEnd> {
  await until(what, () => running.process.exitCode !== null || holds());
  running.process.kill("SIGINT");
  return await running.ended;
}
