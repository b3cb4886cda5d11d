import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterTest } from "./after-test.js";

const program = fileURLToPath(new URL("lock-process.mjs", import.meta.url));

/** A process that takes run locks on command; see lock-process.mjs. Killed at the test's end. */
export class LockProcess {
  readonly child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  /** `wrapper`: a command that runs the process, such as unshare. */
  constructor(wrapper: readonly string[] = []) {
    const [command, ...args] = [...wrapper, process.execPath, program];
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.child.stdin!.on("error", () => {}); // it was killed
    this.#answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    afterTest(() => this.kill());
  }

  /** Its answer; undefined when it was killed meanwhile. */
  async tell(command: string, argument?: unknown): Promise<unknown> {
    this.child.stdin!.write(`${JSON.stringify([command, argument ?? null])}\n`);
    const { done, value } = await this.#answers.next();
    return done === true ? undefined : JSON.parse(value);
  }

  /** Whether it has the lock then. */
  async take(path: string, options: object = {}): Promise<boolean> {
    return Object.hasOwn(Object(await this.tell("take", { path, ...options })), "nonce");
  }

  /** Resolves when the process is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}
