import { spawnSync } from "node:child_process";
import { appendFile, readdir, readFile, writeFile } from "node:fs/promises";
import { mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { lockHolder, RunLock, takeRunLock, type RunLockOptions } from "../../src/run/lock/run-lock.js";
import { LockProcess } from "../support/lock-process.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";

async function taken(path: string, options: RunLockOptions = {}): Promise<RunLock> {
  const lock = await takeRunLock(path, options);
  if (!(lock instanceof RunLock)) throw new Error(`The lock is held by ${lock.description}.`);
  return lock;
}

/** The lock of a process that was killed. */
async function deadLock(): Promise<string> {
  const path = join(await tempFolder(), "lock");
  const holder = new LockProcess();
  expect(await holder.take(path)).toBe(true);
  await holder.kill();
  return path;
}

describe("A dead lock", () => {
  it.each([
    ["at once", false],
    ["at once, on a disk without hard links", true],
  ])("goes to exactly one of four processes that want it %s", async (_when, hasNoLinks) => {
    const folder = await tempFolder();
    const processes = [1, 2, 3, 4].map(() => new LockProcess());
    if (hasNoLinks) await Promise.all(processes.map((process) => process.tell("noLinks")));
    const dead = await readFile(join(await deadLock(), "1"), "utf8");
    for (let round = 1; round <= 50; round++) {
      const path = join(folder, `lock ${round}`);
      mkdirSync(path);
      writeFileSync(join(path, "1"), dead);
      const took = await Promise.all(processes.map((process) => process.take(path)));
      expect(took.filter(Boolean)).toHaveLength(1);
      expect(lockHolder(path)?.pid).toBe(processes[took.indexOf(true)]?.child.pid);
    }
  });
});

describe("A process that is killed before any of its steps leaves a lock that the next one takes at once", () => {
  it.each([
    ["takes a new lock", () => tempFolder().then((folder) => join(folder, "lock")), ["take"]],
    ["takes a dead lock", deadLock, ["take"]],
    [
      "takes a dead lock of the version before",
      async () => {
        const path = join(await tempFolder(), "lock");
        await writeFile(path, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), startTicks: "1" }));
        return path;
      },
      ["take"],
    ],
    ["gives a sign of life", deadLock, ["take", "beat", "beat"]],
    ["releases the lock", deadLock, ["take", "beat", "release"]],
  ])("while it %s", async (_what, prepare, [...commands]) => {
    const last = commands.pop() ?? "";
    for (let step = 1, isKilled = true; isKilled; step++) {
      const path = await prepare();
      const process = new LockProcess();
      for (const command of commands) await process.tell(command, { path });
      await process.tell("killAt", step);
      isKilled = (await process.tell(last, { path })) === undefined;
      await process.kill();

      const lock = await taken(path, { waitForStale: false });
      expect([lock.beat(), lock.beat()]).toEqual([true, true]);
      expect(await readdir(path)).toHaveLength(2);
      lock.release();
      expect(lockHolder(path)).toBeNull();
      expect(step > 5 || isKilled).toBe(true);
    }
  });
});

describe("Processes that take, release and are killed", () => {
  it("are never two at work", async () => {
    const folder = await tempFolder();
    const [path, log] = [join(folder, "lock"), join(folder, "log")];
    await writeFile(log, "");
    const start = (): LockProcess => {
      const process = new LockProcess();
      void process.tell("work", { path, log });
      return process;
    };
    const processes = [start(), start(), start()];
    for (let kills = 0; kills < 12; kills++) {
      const victim = processes.shift()!;
      const hasWorked = new RegExp(`(in ${victim.child.pid}\n[^]*){3}`);
      await until("it has worked three times", async () => hasWorked.test(await readFile(log, "utf8")));
      await appendFile(log, `kill ${victim.child.pid}\n`);
      await victim.kill();
      processes.push(start());
    }
    await Promise.all(processes.map((process) => process.kill()));
    expect(overlaps(await readFile(log, "utf8"))).toEqual([]);
  });
});

/** Lines at which a process began to work while another one was at it that was not killed. */
function overlaps(log: string): string[] {
  const killed = new Set<string>();
  let atWork: string | null = null;
  return log.split("\n").filter((line) => {
    const [what, pid = ""] = line.split(" ");
    if (what === "kill") killed.add(pid);
    if (killed.has(pid)) return false; // what it still wrote is between the word of its end and the end
    const isBad = what === "replaced" || (what === "in" && atWork !== null && !killed.has(atWork));
    if (what === "in") atWork = pid;
    if (what === "out") atWork = null;
    return isBad;
  });
}

describe("A frozen holder", () => {
  it("keeps the lock until --take-over, then learns on waking that it was replaced, and harms nobody", async () => {
    const path = join(await tempFolder(), "lock");
    const holder = new LockProcess();
    expect(await holder.take(path)).toBe(true);
    holder.child.kill("SIGSTOP");
    expect(await takeRunLock(path, { staleMs: 1 })).toMatchObject({ heldBy: { pid: holder.child.pid } });

    const lock = await taken(path, { takeOver: true });
    holder.child.kill("SIGCONT");
    expect(await holder.tell("beat")).toBe(false);
    expect(await holder.tell("isOurs")).toBe(false);
    await holder.tell("release");
    expect([lock.isOurs(), lock.beat()]).toEqual([true, true]);
    expect(lockHolder(path)?.nonce).toBe(lock.nonce);
    lock.release();
  });
});

describe("Between containers", () => {
  const PID_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

  function container(context: TestContext, wrapper: readonly string[] = PID_NAMESPACE): LockProcess {
    const [command, ...args] = [...wrapper, "true"];
    if (spawnSync(command, args).status !== 0) context.skip("Making namespaces takes root, and Linux.");
    return new LockProcess(wrapper);
  }

  /** The process that unshare runs: its first and only child. */
  async function insideOf({ child }: LockProcess): Promise<number> {
    return Number(await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
  }

  it("with the same host name and pid, a heartbeat says that the holder lives", async (context) => {
    const path = join(await tempFolder(), "lock");
    const [first, second] = [container(context), container(context)];
    expect(await first.take(path)).toBe(true);
    await first.tell("beatEvery", 20);
    expect(await second.tell("take", { path })).toMatchObject({
      heldBy: { pid: 1, host: hostname() },
      description: `process 1 on ${hostname()}`,
    });
    expect(lockHolder(path)).toMatchObject({ pid: 1 });
  });

  it("a killed holder is replaced once it was silent for long, and by one", async (context) => {
    const path = join(await tempFolder(), "lock");
    const [first, ...others] = [1, 2, 3].map(() => container(context));
    expect(await first!.take(path)).toBe(true);
    await first!.kill();
    expect(await others[0]!.take(path, { waitForStale: false })).toBe(false);
    await until("status says so, too", () => lockHolder(path, 10) === null);
    const winner = others[0]!.take(path, { staleMs: 600 });
    const loser = others[1]!.take(path);
    expect(await winner).toBe(true);
    await others[0]!.tell("beatEvery", 20);
    expect(await loser).toBe(false);
  });

  it("a frozen holder is replaced once it was silent for long, and learns it on waking", async (context) => {
    const path = join(await tempFolder(), "lock");
    const [first, second] = [container(context), container(context)];
    expect(await first.take(path)).toBe(true);
    const inside = await insideOf(first);
    process.kill(inside, "SIGSTOP");
    expect(await second.take(path, { staleMs: 300 })).toBe(true);
    process.kill(inside, "SIGCONT");
    expect(await first.tell("beat")).toBe(false);
    expect(await second.tell("beat")).toBe(true);
  });

  it("--take-over replaces a living holder at once, which learns it from its next heartbeat", async (context) => {
    const path = join(await tempFolder(), "lock");
    const [first, second] = [container(context), container(context)];
    expect(await first.take(path)).toBe(true);
    expect(await second.take(path, { takeOver: true })).toBe(true);
    expect(await first.tell("beat")).toBe(false);
    expect(await second.tell("beat")).toBe(true);
  });

  it("with shared pids, a killed holder is replaced at once, whatever its host name was", async (context) => {
    const path = join(await tempFolder(), "lock");
    const renamed = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$0" "$@"'];
    const holder = container(context, renamed);
    expect(await holder.take(path)).toBe(true);
    expect(lockHolder(path)).toMatchObject({ host: "elsewhere" });
    expect(await takeRunLock(path)).toMatchObject({ description: `process ${holder.child.pid}` });
    await holder.kill();
    (await taken(path, { waitForStale: false })).release();
  });
});
